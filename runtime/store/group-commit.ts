/** Group commit: many settlements share one fsync a file, payload first, so that what a checkpoint claims is there. */
import type * as DuckDb from "@duckdb/node-api"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

import { CommitBatch, Variants } from "./commit-batch.ts"
import { noDispositions, type Settlement } from "./ledger.ts"
import type { Disposition } from "./state-tables.ts"
import { storeError, type StoreError } from "./store-error.ts"
import { Waiters } from "./waiters.ts"

/** Answered but not yet durable: at most this many settlements, or this many bytes of answers. Then intake waits. */
export const uncommittedMax = 1_000
const uncommittedBytesMax = 8_000_000
/** A commit starts when this many wait, or the oldest has waited this long. */
const commitAt = 500
const lingerMs = 20

export interface GroupCommitOptions {
  readonly writer: DuckDb.DuckDBConnection
  readonly session: number
  /** The number of the last commit in the file; 0 for none. */
  readonly lastCommit: number
  readonly variants: Variants
  /** Serialises with the ledger's other writes, which use the same connection. */
  readonly exclusively: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #work = new Waiters()
  readonly #full = new Waiters()
  readonly #room = new Waiters()
  #filling: CommitBatch
  #committing: CommitBatch | null = null
  #failure: StoreError | null = null
  /** Counts of what is durable since this session began. */
  readonly dispositions: Record<Disposition, number> = { ...noDispositions }
  spentUsd = 0
  trouble: string | null = null

  /** Starts the committer; at the scope's end it commits what is left, unless the disk refuses. */
  static readonly make = (options: GroupCommitOptions): Effect.Effect<GroupCommit, never, Scope.Scope> =>
    Effect.gen(function* () {
      const commits = new GroupCommit(options)
      yield* Effect.addFinalizer(() => Effect.ignore(commits.#commitRest))
      yield* Effect.forkScoped(commits.#loop)
      return commits
    })

  private constructor(options: GroupCommitOptions) {
    this.#options = options
    this.#filling = new CommitBatch(options.lastCommit + 1, options.session)
  }

  get uncommitted(): number {
    return this.#filling.settlements + (this.#committing?.settlements ?? 0)
  }

  readonly settle = (settlement: Settlement): Effect.Effect<void, StoreError> =>
    Effect.suspend(() => {
      if (this.#failure !== null) return Effect.fail(this.#failure)
      if (this.uncommitted >= uncommittedMax || this.#bytes >= uncommittedBytesMax) return Effect.andThen(this.#room.wait, this.settle(settlement))
      this.#filling.add(settlement, this.#options.variants)
      if (this.#filling.settlements === 1) this.#work.wake()
      if (this.#filling.settlements >= commitAt || this.#filling.bytes >= uncommittedBytesMax / 2) this.#full.wake()
      return Effect.void
    })

  /** Returns once all that was settled before is durable. */
  readonly flush: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    if (this.#failure !== null) return Effect.fail(this.#failure)
    if (this.uncommitted === 0) return Effect.void
    this.#full.wake()
    return Effect.andThen(this.#room.wait, this.flush)
  })

  get #bytes(): number {
    return this.#filling.bytes + (this.#committing?.bytes ?? 0)
  }

  readonly #loop = Effect.suspend(() => this.#nextCommit).pipe(
    Effect.forever,
    Effect.onExit((exit) =>
      Effect.sync(() => {
        this.#failure ??= Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? storeError("committing", Cause.squash(exit.cause)) : null
        this.#room.wake()
      })
    )
  )

  readonly #nextCommit = Effect.gen({ self: this }, function* () {
    if (this.#filling.settlements === 0) yield* this.#work.wait
    if (this.#filling.settlements < commitAt) yield* Effect.raceFirst(this.#full.wait, Effect.sleep(lingerMs))
    yield* this.#commitFilling(true)
  })

  /** At the end: a commit that a full disk refuses is not waited for; what it held is done again after a resume. */
  readonly #commitRest = Effect.suspend(() => {
    if (this.#failure !== null) return Effect.void
    if (this.#committing !== null) return this.#commit(this.#committing, false)
    return this.#filling.settlements > 0 ? this.#commitFilling(false) : Effect.void
  })

  readonly #commitFilling = (patient: boolean): Effect.Effect<void, StoreError> =>
    Effect.suspend(() => {
      const batch = this.#filling
      this.#committing = batch
      this.#filling = new CommitBatch(batch.number + 1, this.#options.session)
      return this.#commit(batch, patient)
    })

  readonly #commit = (batch: CommitBatch, patient: boolean): Effect.Effect<void, StoreError> => {
    // Written and counted as one: an interruption between the two would write the batch again.
    const once = Effect.uninterruptible(Effect.tap(this.#options.exclusively(this.#write(batch)), () => Effect.sync(() => this.#settled(batch))))
    return patient ? Effect.retry(this.#watched(once), { schedule: patience, while: (error) => error.isRetryable }) : once
  }

  #settled(batch: CommitBatch): void {
    for (const disposition of batch.finished) this.dispositions[disposition]++
    this.spentUsd += batch.spentUsd
    this.#committing = null
    this.trouble = null
    this.#room.wake()
  }

  #watched(once: Effect.Effect<void, StoreError>): Effect.Effect<void, StoreError> {
    return Effect.tapError(once, (error) => Effect.sync(() => void (this.trouble = error.message)))
  }

  #write(batch: CommitBatch): Effect.Effect<void, StoreError> {
    const { writer } = this.#options
    const transaction = async (work: () => Promise<void>): Promise<void> => {
      await writer.run("begin")
      try {
        await work()
        await writer.run("commit")
      } catch (error) {
        await writer.run("rollback").catch(() => undefined)
        throw error
      }
    }
    return Effect.tryPromise({
      try: async () => {
        if (!batch.isPayloadDone && batch.payloadRows.some(({ rows }) => rows > 0)) {
          await transaction(async () => {
            for (const rows of batch.payloadRows) await rows.appendTo(writer)
          })
        }
        batch.isPayloadDone = true
        await transaction(async () => {
          for (const rows of batch.stateRows) await rows.appendTo(writer)
          await writer.run(`insert into state.commits values (${batch.number}, now(), ${batch.settlements})`)
        })
      },
      catch: (cause) => storeError("committing results", cause)
    })
  }
}

/** Waits out a full or failing disk: half a second, then longer, at most ten seconds between tries, without an end. */
const patience = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("10 seconds")])
