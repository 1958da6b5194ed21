/** Takes single items through a job's steps without files: what an item's settlements say. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import { compile, type Job } from "../../dsl/index.ts"
import { VariantCache } from "../../runtime/execute/ask.ts"
import { makeGraph } from "../../runtime/execute/graph.ts"
import { directCaller } from "../../runtime/execute/caller.ts"
import { processAtOnce } from "../../runtime/execute/process-at-once.ts"
import { PromptVersions } from "../../runtime/execute/prompt-version.ts"
import { localProvider } from "../../runtime/provider/local.ts"
import { Provider } from "../../runtime/provider/provider.ts"
import type { Settlement } from "../../runtime/store/ledger.ts"

export interface ItemRunOptions {
  readonly job: Job
  readonly item: unknown
  readonly key?: string
  readonly label?: string | null
  /** Settlements of an earlier session, which is gone on from. */
  readonly before?: ReadonlyArray<Settlement>
  readonly services?: Context.Context<never>
}

/** Every settlement of the item, in order, through all its tries. */
export const runItem = async ({
  job,
  item,
  key = "k",
  label = null,
  before,
  ...rest
}: ItemRunOptions): Promise<ReadonlyArray<Settlement>> => {
  compile(job)
  const services = rest.services ?? Context.empty()
  let now = 0
  return await Effect.runPromise(
    Effect.gen(function* () {
      const provider = yield* Effect.provide(Provider, localProvider(services))
      const environment = {
        graph: makeGraph(job),
        caller: directCaller(provider),
        services,
        versions: new PromptVersions(),
        codeVersion: "code",
        now: () => now++,
        variants: new VariantCache()
      }
      return yield* processAtOnce(environment, { itemId: "item", key, label, item }, before)
    })
  )
}

/** `step:status` of each checkpoint, with the disposition where the item ended. */
export const pathOf = (settled: ReadonlyArray<Settlement>): ReadonlyArray<string> =>
  settled.flatMap(({ checkpoints }) =>
    checkpoints.map(({ step, status, disposition }) => `${step}:${status}${disposition === null ? "" : `=${disposition}`}`)
  )
