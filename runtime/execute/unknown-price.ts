/** A budget is a promise about money, so every remote model of a run has a price (case 37). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Job } from "../../dsl/index.ts"
import { priceOf } from "../provider/price.ts"
import { modelsOf, type Graph } from "./graph.ts"
import { PriceUnknown } from "./run-error.ts"

/** The names of the models that no price is known of. */
export const unpricedModels = (graph: Graph, at: Date): ReadonlyArray<string> => [
  ...new Set(
    modelsOf(graph)
      .filter((model) => priceOf(model, at) === null)
      .map(({ name }) => name)
  )
]

/** Fails, naming them, where a model of any step or override has neither its author's price nor one of the table. */
export const refuseUnknownPrices = Effect.fn("Run.refuseUnknownPrices")(function* (job: Job, graph: Graph) {
  const models = unpricedModels(graph, new Date(yield* Clock.currentTimeMillis))
  if (models.length > 0) return yield* new PriceUnknown({ job: job.name, models })
})
