/** One item in memory, through all its tries: what a run spreads over sweeps, without their waits. */
import * as Effect from "effect/Effect"

import type { Settlement } from "../store/ledger.ts"
import { ItemHistory } from "../store/memory-disk.ts"
import type { StoreError } from "../store/store-error.ts"
import { processItem, type ItemEnvironment } from "./item.ts"
import { RetryQueue } from "./retry-queue.ts"
import type { AnswerUnfit } from "./run-error.ts"
import type { WorkItem } from "./work-item.ts"

/** Returns the item's settlements, in order. `before`: those of an earlier session, which it goes on from. */
export const processAtOnce = Effect.fnUntraced(function* (
  environment: Omit<ItemEnvironment, "ledger" | "retries">,
  item: Pick<WorkItem, "key" | "label" | "item" | "itemId">,
  before: ReadonlyArray<Settlement> = []
): Effect.fn.Return<ReadonlyArray<Settlement>, StoreError | AnswerUnfit> {
  const settled: Array<Settlement> = []
  const ledger = { settle: (settlement: Settlement) => Effect.sync(() => void settled.push(settlement)) }
  // It stands in no manifest: nobody there is to be taken for it.
  const place = { seq: -1, partition: 0, worker: 1 }
  const listed = { itemId: item.itemId, key: item.key, body: null, reference: null, ...unlisted }
  for (;;) {
    const retries = new RetryQueue()
    retries.beginSweeps()
    const left = new ItemHistory([...before, ...settled]).pending(place.seq, listed, environment.graph.terminals)
    if (left === null) return settled
    const queued = new Map([...left.queued].map(([step, retry]) => [step, { ...retry, dueAt: 0 }]))
    yield* processItem({ ...environment, ledger, retries }, { ...left, ...place, ...item, queued })
    if (retries.size === 0) return settled
  }
})

const unlisted = { bytes: 0, weight: 0, label: "", file: "", line: null }
