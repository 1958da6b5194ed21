/** Workers take partitions, and items go through the job's steps: once for all of them, and again for those that waited for something. */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Semaphore from "effect/Semaphore"

import type { InputChanged, SourceError } from "../source/source-error.ts"
import type { Span } from "../store/batch-record.ts"
import { Ledger, type LedgerShape, type PartitionRecord, type PendingItem } from "../store/ledger.ts"
import { nextSlice, sliceOf } from "../store/slice-size.ts"
import type { StoreError } from "../store/store-error.ts"
import { Dispatcher, type Lease } from "./dispatcher.ts"
import { abandonItem, processItem, type ItemEnvironment } from "./item.ts"
import type { AnswerUnfit, BatchRefused } from "./run-error.ts"
import { untilEmpty } from "./until-empty.ts"

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
  /** Items that one worker has in flight, the stragglers of partitions before the one it's on among them. */
  readonly slots: number
  readonly environment: Omit<ItemEnvironment, "ledger">
  readonly source: ItemSource
  /** Null where every call answers within its pass. */
  readonly rounds: Rounds | null
  /** Only what the rounds bring is looked at: no item is begun. */
  readonly takesOnly: boolean
}

/** Works on every unfinished partition; returns when all is durable, or when the caller is halted. */
export const workThrough = Effect.fn("Run.work")(function* (options: WorkOptions) {
  const ledger = yield* Ledger
  const { rounds, environment } = options
  const unfinished = Effect.map(ledger.partitions, (partitions) => partitions.filter(({ isDone }) => !isDone))
  if (!options.takesOnly) yield* pass(ledger, options, yield* unfinished, true)
  if (rounds === null) return
  for (let where = yield* rounds.next; where !== null; where = yield* rounds.next) {
    const partitions = yield* unfinished
    yield* pass(ledger, options, where === "all" ? partitions : within(partitions, where), where === "all")
    yield* rounds.passed
  }
  if (environment.caller.isHalted() || options.takesOnly) return
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
    const slotsOf = new Map<number, Semaphore.Semaphore>()
    yield* dispatcher.work(options.workers, (lease, goOn) => {
      const slots = slotsOf.get(lease.worker) ?? Semaphore.makeUnsafe(options.slots)
      slotsOf.set(lease.worker, slots)
      return workPartition(ledger, options, { lease, goOn, slots }, areWhole)
    })
    yield* ledger.flush
  },
  // Its queue ends with the pass.
  Effect.provide(Dispatcher.local, { local: true })
)

interface Held {
  readonly lease: Lease
  /** The worker may take its next partition: a call that hangs holds its slot, not all that comes after it. */
  readonly goOn: Effect.Effect<void>
  readonly slots: Semaphore.Semaphore
}

const workPartition = Effect.fnUntraced(function* (ledger: LedgerShape, options: WorkOptions, held: Held, isWhole: boolean) {
  const { lease, goOn, slots } = held
  const { partition } = lease.partition
  const { isHalted } = options.environment.caller
  yield* ledger.lease(partition, lease.worker)
  const feed = new ItemFeed(ledger, lease.partition)
  let isAnyParked = false
  const next = Effect.suspend(() => {
    if (isHalted()) return Effect.succeed(null)
    const item = feed.take()
    return item === null ? feed.load : Effect.succeed(item)
  })
  // Whoever has a slot takes item after item: a fiber an item would cost more than most items.
  const fromItem = Effect.fnUntraced(function* (first: PendingItem) {
    for (let item: PendingItem | null = first; item !== null; item = yield* next)
      if ((yield* workItem(ledger, options, lease, item)) === "parked") isAnyParked = true
  })
  const fibers = yield* FiberSet.make<void, Effect.Error<ReturnType<typeof workItem>>>()
  const takeAll = Effect.gen(function* () {
    for (;;) {
      yield* slots.take(1)
      const item = yield* next
      if (item === null) break
      yield* FiberSet.run(fibers, Effect.ensuring(fromItem(item), slots.release(1)))
    }
    yield* slots.release(1)
    yield* goOn
  })
  yield* untilEmpty(fibers, takeAll)
  if (isWhole && !isAnyParked && !isHalted()) yield* ledger.finish(partition)
}, Effect.scoped)

/** A partition's pending items, a slice at a time. While one slot loads, the others go on with what they have. */
class ItemFeed {
  readonly #ledger: LedgerShape
  readonly #last: number
  readonly #loading = Semaphore.makeUnsafe(1)
  #slice: ReadonlyArray<PendingItem> = []
  #at = 0
  #from: number
  #size: number

  constructor(ledger: LedgerShape, { firstSeq, lastSeq, items, bytes }: PartitionRecord) {
    this.#ledger = ledger
    this.#from = firstSeq
    this.#last = lastSeq
    this.#size = sliceOf(items, bytes)
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
