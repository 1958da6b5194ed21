/** Ends a run that a person won't let go on: whatever isn't finished is held back, without a call, and what is paid for stays. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { countsAsNo } from "../store/gate-expiry.ts"
import { worst } from "../store/disposition.ts"
import type { GateRecord, LedgerShape, PendingItem, PriorCheckpoint } from "../store/ledger.ts"
import { firstSlice, nextSlice } from "../store/slice-size.ts"
import type { Disposition } from "../store/state-tables.ts"
import type { StoreError } from "../store/store-error.ts"
import type { Graph } from "./graph.ts"
import { ItemTrace } from "./item-trace.ts"

/** Whether a person said no at one of the run's gates, or nothing in time: then and in every later session, the run only comes to its end. */
export const isRejected = (gates: ReadonlyArray<Pick<GateRecord, "decision">>): boolean =>
  gates.some(({ decision }) => countsAsNo(decision))

/** Holds back every pending item at each terminal step that it hasn't reached; returns how many, all durable. Go through ended batches first. */
export const holdRest = Effect.fn("Run.holdRest")(function* (
  ledger: Pick<LedgerShape, "partitions" | "lease" | "pending" | "settle" | "finish">,
  graph: Graph
): Effect.fn.Return<number, StoreError> {
  let held = 0
  for (const { partition, firstSeq, lastSeq, isDone } of yield* ledger.partitions) {
    if (isDone) continue
    yield* ledger.lease(partition, worker)
    let slice = firstSlice
    for (let from = firstSeq; from <= lastSeq;) {
      const to = Math.min(lastSeq, from + slice - 1)
      const pending = yield* ledger.pending(from, to)
      const now = new Date(yield* Clock.currentTimeMillis)
      for (const item of pending) yield* ledger.settle(traceOf(graph, item, partition).settlement(now, true))
      held += pending.length
      from = to + 1
      slice = nextSlice(
        slice,
        pending.reduce((bytes, { body }) => bytes + (body?.length ?? 0), 0)
      )
    }
    yield* ledger.finish(partition)
  }
  return held
})

const worker = 1

const traceOf = (graph: Graph, { seq, itemId, checkpoints }: PendingItem, partition: number): ItemTrace => {
  const trace = new ItemTrace({ seq, itemId, partition, worker })
  const ends = new Map<string, Disposition>()
  for (const { name, reads, terminal } of graph.rows) {
    const before = endOf(checkpoints.get(name))
    const stopped = reads.map((read) => ends.get(read)).filter((end) => end !== undefined && end !== "delivered")
    // What stopped the item above ends it here too, as it would have in a run that goes on.
    const end = before ?? (stopped.length > 0 ? worst(stopped) : "held")
    ends.set(name, end)
    if (!terminal) continue
    if (before === null && end !== "delivered") trace.checkpoint({ step: name, status: end, disposition: end })
    trace.ended(name, end)
  }
  return trace
}

/** How an earlier session let the item leave a step; null where it didn't get that far. */
const endOf = (prior: PriorCheckpoint | undefined): Disposition | null => {
  if (prior === undefined || prior.status === "deferred") return null
  return prior.status === "answered" || prior.status === "passed" ? "delivered" : prior.status
}
