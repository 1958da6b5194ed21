/** Workers take partitions, and items go through the job's steps: once for all of them, and again for those that waited for something. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

import type { InputChanged, SourceError } from "../source/source-error.ts"
import type { Span } from "../store/batch-record.ts"
import { Ledger, type LedgerShape, type PartitionRecord, type PendingItem } from "../store/ledger.ts"
import { firstSlice, nextSlice } from "../store/slice-size.ts"
import type { StoreError } from "../store/store-error.ts"
import { Dispatcher, type Lease } from "./dispatcher.ts"
import { abandonItem, processItem, type ItemEnvironment } from "./item.ts"
import type { AnswerUnfit, BatchRefused } from "./run-error.ts"

/** Reads items back from the payload. `fromReference` fails when a referenced file changed since the manifest (PAR-5). */
export interface ItemSource {
  readonly fromBody: (body: string) => unknown
  readonly fromReference: (reference: string) => Effect.Effect<unknown, InputChanged | SourceError>
}

/** What makes items worth another look after a pass: provider batches that ended, money that is free again. */
export interface Rounds {
  /** Waits for it. `null`: nothing more will come. Otherwise where to look, or `all` for every partition that isn't done. */
  readonly next: Effect.Effect<ReadonlyArray<Span> | "all" | null, StoreError | BatchRefused>
  /** After the pass that `next` asked for; all it settled is durable. */
  readonly passed: Effect.Effect<void, StoreError | BatchRefused>
}

export interface WorkOptions {
  readonly run: string
  readonly workers: number
  /** Items that one worker has in flight. */
  readonly slots: number
  readonly environment: Omit<ItemEnvironment, "ledger">
  readonly source: ItemSource
  /** Null where every call answers within its pass. */
  readonly rounds: Rounds | null
}

/** Works on every unfinished partition; returns when all is durable, or when the caller is halted. */
export const workThrough = Effect.fn("Run.work")(function* (options: WorkOptions) {
  const ledger = yield* Ledger
  const { rounds, environment } = options
  const unfinished = Effect.map(ledger.partitions, (partitions) => partitions.filter(({ isDone }) => !isDone))
  yield* pass(ledger, options, yield* unfinished, true)
  if (rounds === null) return
  for (let where = yield* rounds.next; where !== null; where = yield* rounds.next) {
    const partitions = yield* unfinished
    yield* pass(ledger, options, where === "all" ? partitions : within(partitions, where), where === "all")
    yield* rounds.passed
  }
  if (environment.caller.isHalted()) return
  yield* Effect.forEach(yield* unfinished, ({ partition }) => ledger.finish(partition), { discard: true })
})

/** The parts of partitions that spans name. */
const within = (partitions: ReadonlyArray<PartitionRecord>, spans: ReadonlyArray<Span>): ReadonlyArray<PartitionRecord> =>
  partitions.flatMap((partition) => {
    const own = spans.filter((span) => span.partition === partition.partition)
    if (own.length === 0) return []
    const firstSeq = Math.min(...own.map((span) => span.firstSeq))
    return [{ ...partition, firstSeq, lastSeq: Math.max(...own.map((span) => span.lastSeq)) }]
  })

const pass = Effect.fnUntraced(
  function* (ledger: LedgerShape, options: WorkOptions, partitions: ReadonlyArray<PartitionRecord>, areWhole: boolean) {
    const dispatcher = yield* Dispatcher
    yield* dispatcher.submit(options.run, partitions)
    yield* dispatcher.work(options.workers, (lease) => workPartition(ledger, options, lease, areWhole))
    yield* ledger.flush
  },
  // Its queue ends with the pass.
  Effect.provide(Dispatcher.local, { local: true })
)

const workPartition = Effect.fnUntraced(function* (ledger: LedgerShape, options: WorkOptions, lease: Lease, isWhole: boolean) {
  const { partition } = lease.partition
  const { isHalted } = options.environment.caller
  yield* ledger.lease(partition, lease.worker)
  const feed = new ItemFeed(ledger, lease.partition)
  let isAnyParked = false
  const slot = Effect.gen(function* () {
    while (!isHalted()) {
      const item = feed.take() ?? (yield* feed.load)
      if (item === null) return
      if ((yield* workItem(ledger, options, lease, item)) === "parked") isAnyParked = true
    }
  })
  // As many fibers as there are slots, each taking the next item: a fiber an item would cost more than most items.
  const slots = Math.min(options.slots, lease.partition.lastSeq - lease.partition.firstSeq + 1)
  yield* Effect.forEach(Array.from({ length: slots }), () => slot, { concurrency: "unbounded", discard: true })
  if (isWhole && !isAnyParked && !isHalted()) yield* ledger.finish(partition)
})

/** A partition's pending items, a slice at a time. While one slot loads, the others go on with what they have. */
class ItemFeed {
  readonly #ledger: LedgerShape
  readonly #last: number
  readonly #loading = Semaphore.makeUnsafe(1)
  #slice: ReadonlyArray<PendingItem> = []
  #at = 0
  #from: number
  #size = firstSlice

  constructor(ledger: LedgerShape, { firstSeq, lastSeq }: PartitionRecord) {
    this.#ledger = ledger
    this.#from = firstSeq
    this.#last = lastSeq
  }

  take(): PendingItem | null {
    return this.#slice[this.#at++] ?? null
  }

  /** The next item; null at the end. */
  readonly load: Effect.Effect<PendingItem | null, StoreError> = Effect.suspend(() => this.#loading.withPermits(1)(this.#loadOne))

  readonly #loadOne = Effect.gen({ self: this }, function* () {
    for (let item = this.take(); ; item = this.take()) {
      if (item !== null || this.#from > this.#last) return item
      const to = Math.min(this.#last, this.#from + this.#size - 1)
      const pending = yield* this.#ledger.pending(this.#from, to)
      this.#slice = pending
      this.#at = 0
      this.#from = to + 1
      this.#size = nextSlice(
        this.#size,
        pending.reduce((bytes, { body }) => bytes + (body?.length ?? 0), 0)
      )
    }
  })
}

const workItem = (
  ledger: LedgerShape,
  { environment, source }: WorkOptions,
  { partition, worker }: Lease,
  pending: PendingItem
): Effect.Effect<"finished" | "parked", StoreError | AnswerUnfit | InputChanged | SourceError> => {
  const place = { seq: pending.seq, itemId: pending.itemId, partition: partition.partition, worker }
  const work = (item: unknown) => processItem({ ...environment, ledger }, { ...pending, ...place, label: partition.label, item })
  if (pending.reference !== null) return Effect.flatMap(source.fromReference(pending.reference), work)
  let item: unknown
  try {
    item = source.fromBody(pending.body ?? "null")
  } catch (cause) {
    const abandoned = abandonItem(
      { ...environment, ledger },
      place,
      "item-unreadable",
      cause instanceof Error ? cause.message : String(cause)
    )
    return Effect.as(abandoned, "finished")
  }
  return work(item)
}
