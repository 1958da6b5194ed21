/** What a run is expected to cost, worked out as it starts: stored with it, and compared with what it came to (CST-1). */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import type { Job, Plan, RunContext } from "../../dsl/index.ts"
import type { MeasuredUsage } from "../store/measured-usage.ts"
import { isRemote, modelsOf, type Graph } from "./graph.ts"
import { measurePrompts } from "./prompt-sizes.ts"
import { sampleSource } from "./sample.ts"
import { buildServices } from "./services.ts"

/** A run waits no longer for its estimate than for this many rows. */
const limits = { rowsMax: 2_000, readFor: "1 second" } as const
const estimateFor = "4 seconds"

export interface PriceRunOptions {
  readonly job: Job
  readonly plan: Plan
  readonly graph: Graph
  readonly context: RunContext
  readonly itemLimit: number | null
  readonly measuredPerMinute: number | null
  readonly measuredUsage: MeasuredUsage | null
}

/** US dollars; 0 for embedded models, and null where it can't be told in four seconds: whatever is wrong, the run itself says so. */
export const priceRun = Effect.fn("Run.price")(function* (options: PriceRunOptions): Effect.fn.Return<number | null> {
  const { job, graph, context } = options
  if (!modelsOf(graph).some(isRemote)) return 0
  const { definition } = graph.source
  // It may be read only once.
  if (definition.format === "stream") return null
  const { estimatePrice } = yield* Effect.promise(() => import("./estimate.ts"))
  const known = yield* Effect.gen(function* () {
    const services = job.options.services === undefined ? Context.empty() : yield* buildServices(job)
    const sample = yield* sampleSource(graph, context, services, limits)
    return { sample, prompts: yield* measurePrompts(graph, sample.examples, services) }
  }).pipe(
    Effect.scoped,
    Effect.timeoutOption(estimateFor),
    Effect.catch(() => Effect.succeedNone)
  )
  if (known._tag === "None") return null
  const at = new Date(yield* Clock.currentTimeMillis)
  return estimatePrice({ ...options, ...known.value, at }, options.itemLimit).likelyUsd
})
