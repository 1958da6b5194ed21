/** Ends an item that no step can see. */
import type * as Effect from "effect/Effect"

import type { StoreError } from "../store/store-error.ts"
import type { ItemEnvironment } from "./item.ts"
import { ItemTrace, type ItemPlace } from "./item-trace.ts"

/** Gives an item up at the start: its body can't be read, so no step can see it. */
export const abandonItem = (
  { graph, ledger, now }: Pick<ItemEnvironment, "graph" | "ledger" | "now">,
  place: ItemPlace,
  code: string,
  message: string
): Effect.Effect<void, StoreError> => {
  const trace = new ItemTrace(place)
  trace.problem({ step: graph.partition.name, attempt: 0, code, message, raw: null })
  trace.stop({ kind: "dead", step: graph.partition.name, code, rule: null, attempts: 0 })
  for (const { name, terminal } of graph.rows) {
    if (!terminal) continue
    trace.checkpoint({ step: name, status: "dead", disposition: "dead", code })
    trace.ended(name, "dead")
  }
  return ledger.settle(trace.settlement(new Date(now()), true))
}
