/** The primary pass: workers take partitions, and items go through the job's steps. */
import * as Effect from "effect/Effect"

import type { InputChanged, SourceError } from "../source/source-error.ts"
import { Ledger, type LedgerShape, type PendingItem } from "../store/ledger.ts"
import { firstSlice, nextSlice } from "../store/slice-size.ts"
import type { StoreError } from "../store/store-error.ts"
import { slotsPerWorker } from "./capacity.ts"
import { Dispatcher, type Lease } from "./dispatcher.ts"
import { abandonItem, processItem, type ItemEnvironment } from "./item.ts"
import type { AnswerUnfit } from "./run-error.ts"

/** Reads items back from the payload. `fromReference` fails when a referenced file changed since the manifest (PAR-5). */
export interface ItemSource {
  readonly fromBody: (body: string) => unknown
  readonly fromReference: (reference: string) => Effect.Effect<unknown, InputChanged | SourceError>
}

export interface WorkOptions {
  readonly run: string
  readonly workers: number
  readonly environment: Omit<ItemEnvironment, "ledger">
  readonly source: ItemSource
}

/** Works on every unfinished partition; returns when all is durable. */
export const workThrough = Effect.fn("Run.work")(function* (options: WorkOptions) {
  const ledger = yield* Ledger
  const dispatcher = yield* Dispatcher
  const partitions = yield* ledger.partitions
  yield* dispatcher.submit(
    options.run,
    partitions.filter(({ isDone }) => !isDone)
  )
  yield* dispatcher.work(options.workers, (lease) => workPartition(ledger, options, lease))
  yield* ledger.flush
})

const workPartition = Effect.fnUntraced(function* (ledger: LedgerShape, options: WorkOptions, lease: Lease) {
  const { partition, firstSeq, lastSeq } = lease.partition
  yield* ledger.lease(partition, lease.worker)
  let slice = firstSlice
  for (let from = firstSeq; from <= lastSeq;) {
    const to = Math.min(lastSeq, from + slice - 1)
    const pending = yield* ledger.pending(from, to)
    yield* inSlots(pending, (item) => workItem(ledger, options, lease, item))
    from = to + 1
    slice = nextSlice(
      slice,
      pending.reduce((bytes, { body }) => bytes + (body?.length ?? 0), 0)
    )
  }
  yield* ledger.finish(partition)
})

/** As many fibers as there are slots, each taking the next item: a fiber an item would cost more than most items. */
const inSlots = <A, E, R>(items: ReadonlyArray<A>, work: (item: A) => Effect.Effect<void, E, R>): Effect.Effect<void, E, R> => {
  let next = 0
  const slot = Effect.gen(function* () {
    for (let item = items[next++]; item !== undefined; item = items[next++]) yield* work(item)
  })
  return Effect.forEach(Array.from({ length: Math.min(slotsPerWorker, items.length) }), () => slot, {
    concurrency: "unbounded",
    discard: true
  })
}

const workItem = (
  ledger: LedgerShape,
  { environment, source }: WorkOptions,
  { partition, worker }: Lease,
  pending: PendingItem
): Effect.Effect<void, StoreError | AnswerUnfit | InputChanged | SourceError> => {
  const place = { seq: pending.seq, itemId: pending.itemId, partition: partition.partition, worker }
  const work = (item: unknown) =>
    processItem(
      { ...environment, ledger },
      { ...place, key: pending.key, label: partition.label, item, checkpoints: pending.checkpoints, refused: pending.refused }
    )
  if (pending.reference !== null) return Effect.flatMap(source.fromReference(pending.reference), work)
  let item: unknown
  try {
    item = source.fromBody(pending.body ?? "null")
  } catch (cause) {
    return abandonItem({ ...environment, ledger }, place, "item-unreadable", cause instanceof Error ? cause.message : String(cause))
  }
  return work(item)
}
