/** Workers take partitions, and items go through the job's steps: once for all of them, and again for those that waited for something or failed. */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Semaphore from "effect/Semaphore"

import { Capacity } from "../guard/capacity.ts"
import type { InputChanged, SourceError } from "../source/source-error.ts"
import type { Span } from "../store/batch-record.ts"
import { Ledger, type LedgerShape, type PartitionRecord, type PendingItem } from "../store/ledger.ts"
import type { StoreError } from "../store/store-error.ts"
import { abandonItem } from "./abandon-item.ts"
import { Dispatcher, type Lease } from "./dispatcher.ts"
import { processItem, type ItemEnvironment } from "./item.ts"
import { ItemFeed } from "./item-feed.ts"
import type { QueuedItem } from "./retry-queue.ts"
import type { AnswerUnfit, BatchRefused, WaitsAtGate } from "./run-error.ts"
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
  /** How many of the workers are at work. Default: all. */
  readonly capacity?: Capacity
  readonly environment: Omit<ItemEnvironment, "ledger">
  readonly source: ItemSource
  /** Null where every call answers within its pass. */
  readonly rounds: Rounds | null
  /** Only what the rounds bring is looked at: no item is begun. */
  readonly takesOnly: boolean
  /** Items that were in job code when the process ended, twice: each runs alone, before all others. Default: none. */
  readonly suspects?: ReadonlyArray<number>
  /** Asked once before the sweeps: fails where a person must agree to them first. */
  readonly beforeSweeps: (failed: FailedPass) => Effect.Effect<void, StoreError | WaitsAtGate>
  readonly onSweep: (sweep: { readonly sweep: number; readonly items: number }) => void
}

/** What the primary pass left to be asked again. */
export interface FailedPass {
  readonly items: number
  readonly byCode: ReadonlyArray<{ readonly code: string; readonly items: number }>
}

/**
 * Works on every unfinished partition; returns when all is durable, or when the caller is halted. What failed and may be asked again is swept up after
 * the primary pass.
 */
export const workThrough = Effect.fn("Run.work")(function* (options: WorkOptions) {
  const ledger = yield* Ledger
  const { environment, takesOnly } = options
  if (!takesOnly) yield* passSuspects(ledger, options)
  if (!takesOnly) yield* pass(ledger, options, yield* unfinishedOf(ledger), { isWhole: true, only: null })
  yield* passRounds(ledger, options)
  if (takesOnly) return
  yield* sweepThrough(ledger, options)
  if (environment.caller.isHalted()) return
  yield* Effect.forEach(yield* unfinishedOf(ledger), ({ partition }) => ledger.finish(partition), { discard: true })
})

const unfinishedOf = (ledger: LedgerShape) => Effect.map(ledger.partitions, (partitions) => partitions.filter(({ isDone }) => !isDone))

/** One at a time: if the process ends again, it is known by whom. */
const passSuspects = Effect.fnUntraced(function* (ledger: LedgerShape, options: WorkOptions) {
  const isPending = (seq: number) => Effect.map(ledger.pending(seq, seq), (pending) => pending.length > 0)
  const suspects = yield* Effect.filter(options.suspects ?? [], isPending)
  if (suspects.length === 0) return
  const were = suspects.length === 1 ? "one item was" : `${suspects.length} items were`
  yield* Effect.logWarning(`Run ${options.run} ended twice while ${were} in the job's code: each runs alone first.`)
  for (const seq of suspects) {
    const partitions = (yield* unfinishedOf(ledger)).filter(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq)
    yield* pass(ledger, options, partitions, { isWhole: false, only: new Map(partitions.map(({ partition }) => [partition, [seq]])) })
  }
})

/** Until nothing more will come of provider batches, or of money that they free. */
const passRounds = Effect.fnUntraced(function* (ledger: LedgerShape, options: WorkOptions) {
  const { rounds } = options
  if (rounds === null) return
  for (let where = yield* rounds.next; where !== null; where = yield* rounds.next) {
    const partitions = yield* unfinishedOf(ledger)
    const isWhole = where === "all"
    yield* pass(ledger, options, where === "all" ? partitions : within(partitions, where), { isWhole, only: null })
    yield* rounds.passed
  }
})

/** Sweep after sweep, until nothing waits to be asked again: each try of an item is counted, so they end. */
const sweepThrough = Effect.fnUntraced(function* (ledger: LedgerShape, options: WorkOptions) {
  const { retries, caller } = options.environment
  if (retries.size === 0 || caller.isHalted()) return
  yield* options.beforeSweeps({ items: retries.size, byCode: retries.byCode })
  retries.beginSweeps()
  for (let sweep = 1; retries.size > 0 && !caller.isHalted(); sweep++) {
    options.onSweep({ sweep, items: retries.size })
    for (let waiting = retries.takeAll(); waiting.length > 0 && !caller.isHalted();) {
      const due = yield* untilDue(waiting, options.environment.now)
      waiting = waiting.slice(due.length)
      const only = byPartition(due)
      const partitions = (yield* unfinishedOf(ledger)).filter(({ partition }) => only.has(partition))
      yield* pass(ledger, options, partitions, { isWhole: false, only })
      yield* passRounds(ledger, options)
    }
  }
})

/** Waits for the first of them, and a little longer, so that its neighbours come along. They are in the order in which they are due. */
const untilDue = Effect.fnUntraced(function* (waiting: ReadonlyArray<QueuedItem>, now: () => number) {
  const waitMs = (waiting[0]?.dueAt ?? 0) - now()
  if (waitMs > 0) yield* Effect.sleep(waitMs + Math.min(neighboursMs, waitMs / 4))
  const firstEarly = waiting.findIndex(({ dueAt }) => dueAt > now())
  return firstEarly === -1 ? waiting : waiting.slice(0, firstEarly)
})

const neighboursMs = 5_000

/** The seqs of each partition, in order. */
const byPartition = (items: ReadonlyArray<QueuedItem>): ReadonlyMap<number, ReadonlyArray<number>> => {
  const seqs = new Map<number, Array<number>>()
  for (const { partition, seq } of items) {
    const known = seqs.get(partition)
    if (known === undefined) seqs.set(partition, [seq])
    else known.push(seq)
  }
  for (const known of seqs.values()) known.sort((a, b) => a - b)
  return seqs
}

/** The parts of partitions that spans name. */
const within = (partitions: ReadonlyArray<PartitionRecord>, spans: ReadonlyArray<Span>): ReadonlyArray<PartitionRecord> =>
  partitions.flatMap((partition) => {
    const own = spans.filter((span) => span.partition === partition.partition)
    if (own.length === 0) return []
    const firstSeq = Math.min(...own.map((span) => span.firstSeq))
    return [{ ...partition, firstSeq, lastSeq: Math.max(...own.map((span) => span.lastSeq)) }]
  })

interface PassScope {
  /** Partitions are gone through from end to end: one with nothing left is finished. */
  readonly isWhole: boolean
  /** The items that are looked at, by partition; null for all that are pending. */
  readonly only: ReadonlyMap<number, ReadonlyArray<number>> | null
}

const pass = Effect.fnUntraced(
  function* (ledger: LedgerShape, options: WorkOptions, partitions: ReadonlyArray<PartitionRecord>, scope: PassScope) {
    const dispatcher = yield* Dispatcher
    const { capacity = Capacity.unbounded() } = options
    yield* dispatcher.submit(options.run, partitions)
    const slotsOf = new Map<number, Semaphore.Semaphore>()
    yield* dispatcher.work(options.workers, (lease, goOn) => {
      const slots = slotsOf.get(lease.worker) ?? Semaphore.makeUnsafe(options.slots)
      slotsOf.set(lease.worker, slots)
      return capacity.admit((leave) => workPartition(ledger, options, { lease, goOn: Effect.andThen(leave, goOn), slots }, scope))
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

const workPartition = Effect.fnUntraced(function* (ledger: LedgerShape, options: WorkOptions, held: Held, scope: PassScope) {
  const { lease, goOn, slots } = held
  const { partition } = lease.partition
  const { flights, caller } = options.environment
  const { isHalted } = caller
  yield* ledger.lease(partition, lease.worker)
  const feed = new ItemFeed(ledger, lease.partition, scope.only?.get(partition) ?? null)
  let isAnyParked = false
  const next = Effect.suspend(() => {
    if (isHalted()) return Effect.succeed(null)
    const item = feed.take()
    return item === null ? feed.load : Effect.succeed(item)
  })
  // Whoever has a slot takes item after item: a fiber an item would cost more than most items.
  const fromItem = Effect.fnUntraced(function* (first: PendingItem) {
    for (let item: PendingItem | null = first; item !== null; item = yield* next) {
      flights?.enter(item.seq)
      const ended = yield* workItem(ledger, options, lease, item)
      if (ended === "finished") flights?.finish(item.seq)
      else flights?.leave(item.seq)
      if (ended === "parked") isAnyParked = true
    }
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
  if (scope.isWhole && !isAnyParked && !isHalted()) yield* ledger.finish(partition)
}, Effect.scoped)

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
