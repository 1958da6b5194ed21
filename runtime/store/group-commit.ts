/** Group commit: many settlements share one fsync a file, payload first, so that what a checkpoint claims is there. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"

import type { Batch } from "./batch.ts"
import { addCosts, noCosts } from "./costs.ts"
import { addDispositions, noDispositions } from "./disposition.ts"
import type { Settlement } from "./ledger.ts"
import type { Patience } from "./patience.ts"
import type { Disposition } from "./state-tables.ts"
import { storeError, type StoreError } from "./store-error.ts"
import { Waiters } from "./waiters.ts"

/** Answered but not yet durable: at most this many settlements, or this many bytes of answers. Then intake waits. */
export const uncommittedMax = 1_000
const uncommittedBytesMax = 8_000_000
/** A commit starts when this many wait, or the oldest has waited this long. */
const commitAt = 500
const lingerMs = 20

export interface GroupCommitOptions<B extends Batch> {
  readonly open: (number: number) => B
  /** Makes a batch durable, whole or not at all. A batch may come again after a failure, and then isn't written twice. */
  readonly write: (batch: B) => Effect.Effect<void, StoreError>
  /** The number of the last commit that is durable; 0 for none. */
  readonly lastCommit: number
  readonly patience: Patience
}

export class GroupCommit<B extends Batch> {
  readonly #options: GroupCommitOptions<B>
  readonly #work = new Waiters()
  readonly #due = new Waiters()
  /** Woken by each commit. */
  readonly #done = new Waiters()
  #filling: B
  #committing: B | null = null
  #durable: number
  /** Commits up to this number don't linger: somebody waits for them. */
  #hurry = 0
  #failure: StoreError | null = null
  readonly #settled = new Map<number, { from: number; to: number }>()
  /** Counts of what is durable since this session began. */
  dispositions: Readonly<Record<Disposition, number>> = noDispositions
  costs = noCosts

  /** Starts the committer; at the scope's end it commits what is left, unless the disk refuses. */
  static readonly make = <B extends Batch>(options: GroupCommitOptions<B>): Effect.Effect<GroupCommit<B>, never, Scope.Scope> =>
    Effect.gen(function* () {
      const commits = new GroupCommit(options)
      // Runs after the committer below was interrupted, which lets the commit in hand finish.
      yield* Effect.addFinalizer(() => Effect.ignore(commits.#commitRest))
      yield* Effect.forkScoped(commits.#loop)
      return commits
    })

  private constructor(options: GroupCommitOptions<B>) {
    this.#options = options
    this.#durable = options.lastCommit
    this.#filling = options.open(options.lastCommit + 1)
  }

  get uncommitted(): number {
    return this.#filling.settlements + (this.#committing?.settlements ?? 0)
  }

  /** Whether items of a range were settled in this session. */
  hasSettled(from: number, to: number): boolean {
    return this.#settled.values().some((range) => range.from <= to && from <= range.to)
  }

  readonly settle = (settlement: Settlement): Effect.Effect<void, StoreError> =>
    Effect.suspend(() => {
      if (this.#failure !== null) return Effect.fail(this.#failure)
      if (this.#isFull)
        return Effect.andThen(
          this.#done.until(() => !this.#isFull || this.#failure !== null),
          this.settle(settlement)
        )
      this.#filling.add(settlement)
      this.#remember(settlement)
      this.#work.wake()
      this.#due.wake()
      return Effect.void
    })

  /** Returns once all that was settled before is durable; what others settle meanwhile isn't waited for. */
  readonly flush: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    const last = this.#filling.settlements > 0 ? this.#filling.number : (this.#committing?.number ?? this.#durable)
    this.#hurry = Math.max(this.#hurry, last)
    this.#due.wake()
    const waited = this.#done.until(() => this.#durable >= last || this.#failure !== null)
    return Effect.andThen(
      waited,
      Effect.suspend(() => (this.#failure === null || this.#durable >= last ? Effect.void : Effect.fail(this.#failure)))
    )
  })

  get #isFull(): boolean {
    return this.uncommitted >= uncommittedMax || this.#filling.bytes + (this.#committing?.bytes ?? 0) >= uncommittedBytesMax
  }

  get #isDue(): boolean {
    return this.#filling.settlements >= commitAt || this.#filling.bytes >= uncommittedBytesMax / 2 || this.#hurry >= this.#filling.number
  }

  /** A partition's items are a range of the manifest. */
  #remember({ partition, seq }: Settlement): void {
    const range = this.#settled.get(partition)
    if (range === undefined) this.#settled.set(partition, { from: seq, to: seq })
    else if (seq < range.from) range.from = seq
    else if (seq > range.to) range.to = seq
  }

  readonly #loop = Effect.suspend(() => this.#nextCommit).pipe(
    Effect.forever,
    Effect.onExit((exit) =>
      Effect.sync(() => {
        this.#failure ??=
          Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? storeError("committing", Cause.squash(exit.cause)) : null
        this.#done.wake()
      })
    )
  )

  readonly #nextCommit = Effect.gen({ self: this }, function* () {
    yield* this.#work.until(() => this.#filling.settlements > 0)
    const isDue = this.#due.until(() => this.#isDue)
    if (!this.#isDue) yield* Effect.timeoutOption(isDue, lingerMs)
    yield* this.#options.patience.waitOut(this.#commit(this.#nextBatch()))
  })

  /** At the end: a commit that a full disk refuses is not waited for; what it held is done again after a resume. */
  readonly #commitRest = Effect.gen({ self: this }, function* () {
    if (this.#failure !== null) return
    if (this.#committing !== null) yield* this.#options.patience.once(this.#commit(this.#committing))
    if (this.#filling.settlements > 0) yield* this.#options.patience.once(this.#commit(this.#nextBatch()))
  })

  #nextBatch(): B {
    const batch = this.#filling
    this.#committing = batch
    this.#filling = this.#options.open(batch.number + 1)
    return batch
  }

  /** Written and counted as one: an interruption between the two would write the batch again. */
  #commit(batch: B): Effect.Effect<void, StoreError> {
    return Effect.uninterruptible(
      Effect.andThen(
        this.#options.write(batch),
        Effect.sync(() => this.#settle(batch))
      )
    )
  }

  #settle(batch: B): void {
    this.dispositions = addDispositions(this.dispositions, batch.finished)
    this.costs = addCosts(this.costs, batch.costs)
    this.#durable = batch.number
    this.#committing = null
    this.#done.wake()
  }
}
