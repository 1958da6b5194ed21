/** Tells providers to stop a run's batches without taking anything of them: for a run whose job has changed, so that nothing can be judged. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import type { Job } from "../../dsl/index.ts"
import type { AccountPlace } from "../store/account-place.ts"
import type { BatchRecord } from "../store/batch-record.ts"
import { makeGraph, modelsOf } from "./graph.ts"
import { openEngines } from "./open-engines.ts"
import { buildServices } from "./services.ts"

/** A batch, and why it could not be stopped; null where the provider took the word. */
export interface Stopped {
  readonly batch: BatchRecord
  readonly fault: string | null
}

export const stopBatches = Effect.fn("Run.stopBatches")(function* (job: Job, batches: ReadonlyArray<BatchRecord>, accounts: AccountPlace) {
  const models = modelsOf(makeGraph(job))
  const { remote } = yield* openEngines(models, yield* buildServices(job), accounts)
  const stop = Effect.fnUntraced(function* (batch: BatchRecord): Effect.fn.Return<Stopped> {
    const model = models.find(({ engine, account, name }) => engine === batch.engine && account === batch.account && name === batch.model)
    const engine = model === undefined || remote === null ? null : remote.batches.engineOf(model)
    if (engine === null) return { batch, fault: `the job no longer names ${batch.model} of account "${batch.account}"` }
    if (batch.providerBatch === null) return { batch, fault: "its creation was cut off, and only a resume finds out whether it exists" }
    const asked = yield* Effect.result(engine.cancel(batch.providerBatch))
    return { batch, fault: Result.isSuccess(asked) ? null : asked.failure.message }
  })
  return yield* Effect.forEach(batches, stop, { concurrency: 1 })
}, Effect.scoped)
