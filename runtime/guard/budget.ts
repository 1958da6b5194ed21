/** The budget: calls draw on blocks of money that were made durable before, so that what a kill leaves unsettled is known to be spent (CST-2). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

import { WaitingLine } from "./waiting-line.ts"

/** The next call doesn't fit into what is left, and nothing in flight could free enough. */
export class BudgetSpent extends Schema.TaggedError<BudgetSpent>()("BudgetSpent", {
  /** The most that the call may cost. */
  neededUsd: Schema.Finite,
  headroomUsd: Schema.Finite
}) {
  override get message(): string {
    return `The next call may cost ${this.neededUsd} US dollars, and ${this.headroomUsd} are left.`
  }
}

export interface BudgetOptions<E> {
  /** What may be spent in all. */
  readonly envelopeUsd: number
  /** Spent by earlier sessions. */
  readonly spentUsd: number
  /** What earlier sessions may have spent beyond that. */
  readonly uncertainUsd: number
  /** Makes durable that this session's calls may draw `totalUsd` in all. */
  readonly grant: (totalUsd: number) => Effect.Effect<void, E>
  /** Called once, when 80 % are spent. */
  readonly onWarning: (spentUsd: number) => Effect.Effect<void>
}

/** Money held back for a call, or for a provider's batch. */
export interface Reservation {
  readonly kind: "call" | "batch"
  usd: number
  isOpen: boolean
}

export interface BudgetSnapshot {
  readonly envelopeUsd: number
  /** By all sessions, interrupted calls at their bound; what was charged above a bound is in it. */
  readonly spentUsd: number
  readonly uncertainUsd: number
  /** Held back for calls in flight and for batches. */
  readonly reservedUsd: number
  /** Durably granted to this session. */
  readonly grantedUsd: number
  /** What this session's calls spent of that, or may have: what its ledger is closed with. */
  readonly drawnUsd: number
  /** What nobody has spent or holds back. */
  readonly headroomUsd: number
}

const warnAt = 0.8
/** A block is worth about this much time at the latest pace: what a kill makes uncertain is as much at most, and the calls in flight. */
const blockMs = 2_000
/** Of the envelope: the smallest block worth a commit, as long as it fits. */
const blockShare = 0.002
/** A pace is measured over at least this long: a burst of answers between two ticks of the clock is none. */
const paceMs = 250
/** Sums of floats drift; an envelope is held to a millionth of a cent. */
const tolerance = 1e-8

export class Budget<E = never> {
  readonly #options: BudgetOptions<E>
  /** Starts a fiber that ends with the budget's scope. */
  readonly #fork: (work: Effect.Effect<void>) => void
  readonly #now: () => number
  readonly #line = new WaitingLine<number, Reservation | BudgetSpent>((granted) => {
    if (!("_tag" in granted)) this.release(granted)
  })
  /** Held by nobody yet, wanted by all in line. */
  #waiting = 0
  /** Spent by this session's calls, interrupted ones at their bound. */
  #drawn = 0
  #batchSpent = 0
  #calls = 0
  #batches = 0
  #granted = 0
  #isGranting = false
  #isPumping = false
  #isWarned = false
  #isChargedAbove = false
  #failure: { readonly error: E } | null = null
  #block: number
  /** Since when, and from what, the pace is measured. */
  #pace: { readonly at: number; readonly drawn: number }

  /** Grants and warnings happen in fibers of the scope. */
  static readonly make = <E>(options: BudgetOptions<E>): Effect.Effect<Budget<E>, never, Scope.Scope> =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const scope = yield* Effect.scope
      const run = Effect.runForkWith(yield* Effect.context<never>())
      return new Budget(
        options,
        (work) => void run(Effect.forkIn(work, scope)),
        () => clock.currentTimeMillisUnsafe()
      )
    })

  private constructor(options: BudgetOptions<E>, fork: (work: Effect.Effect<void>) => void, now: () => number) {
    this.#options = options
    this.#fork = fork
    this.#now = now
    this.#block = options.envelopeUsd * blockShare
    this.#pace = { at: now(), drawn: 0 }
    // The session that got there may have died before it could say so.
    this.#warn()
  }

  /** Holds back `usd` for a call, and nothing for one that is free; waits while something in flight may free enough, first come, first served. Fails only when nothing can. */
  reserve(usd: number): Effect.Effect<Reservation, BudgetSpent | E> {
    return Effect.suspend((): Effect.Effect<Reservation, BudgetSpent | E> => {
      if (usd === 0) return Effect.succeed(this.#take(0))
      if (this.#failure !== null) return Effect.fail(this.#failure.error)
      if (this.#line.length === 0 && this.#fitsBlock(usd)) {
        const reservation = this.#take(usd)
        this.#grantAhead()
        return Effect.succeed(reservation)
      }
      const waited = this.#line.wait(usd, () => {
        this.#waiting += usd
        this.#pump()
      })
      return Effect.flatMap(
        Effect.ensuring(
          waited,
          Effect.sync(() => void (this.#waiting -= usd))
        ),
        (granted): Effect.Effect<Reservation, BudgetSpent | E> => {
          if (!("_tag" in granted)) return Effect.succeed(granted)
          return Effect.fail(this.#failure === null ? granted : this.#failure.error)
        }
      )
    })
  }

  /** The call is over: `costUsd` of what it held is spent, the rest is free. What is charged above the bound counts all the same. */
  settle(reservation: Reservation, costUsd: number): void {
    if (!this.#end(reservation)) return
    this.#drawn += costUsd
    this.#spent(reservation.usd, costUsd)
  }

  /** Nothing was paid. */
  release(reservation: Reservation): void {
    if (this.#end(reservation)) this.#pump()
  }

  /** Nobody will ever know whether it was paid: it counts as spent. */
  abandon(reservation: Reservation): void {
    this.settle(reservation, reservation.usd)
  }

  /** Holds back `usd` for a request on its way into a batch; null when it doesn't fit. Durable with the batch's own intent. */
  tryReserveBatch(usd: number): Reservation | null {
    if (usd > 0 && this.#calls + usd > this.#left + tolerance) return null
    return this.adoptBatch(usd)
  }

  /** Holds back what a batch may cost that is there already. */
  adoptBatch(usd: number): Reservation {
    this.#batches += usd
    return { kind: "batch", usd, isOpen: true }
  }

  /** One request of a batch is over: of what the batch holds, `boundUsd` is free and `costUsd` spent. */
  settleBatch(reservation: Reservation, boundUsd: number, costUsd: number): void {
    if (!reservation.isOpen) return
    const freed = Math.min(boundUsd, reservation.usd)
    reservation.usd -= freed
    this.#batches -= freed
    this.#batchSpent += costUsd
    this.#spent(boundUsd, costUsd)
  }

  snapshot(): BudgetSnapshot {
    const { envelopeUsd, spentUsd, uncertainUsd } = this.#options
    return {
      envelopeUsd,
      uncertainUsd,
      spentUsd: spentUsd + this.#drawn + this.#batchSpent,
      reservedUsd: this.#calls + this.#batches,
      grantedUsd: this.#granted,
      drawnUsd: this.#drawn + this.#calls,
      headroomUsd: Math.max(0, this.#left - this.#calls)
    }
  }

  /** The envelope without what is spent, may be spent, or is held back for batches: calls in flight may turn out to cost nothing. */
  get #left(): number {
    const { envelopeUsd, spentUsd, uncertainUsd } = this.#options
    return envelopeUsd - spentUsd - uncertainUsd - this.#drawn - this.#batchSpent - this.#batches
  }

  /** What is granted and not drawn may be held back for a batch since: then a kill counts it twice, which is safe. */
  #fitsBlock(usd: number): boolean {
    const used = this.#calls + usd
    return this.#drawn + used <= this.#granted + tolerance && used <= this.#left + tolerance
  }

  #take(usd: number): Reservation {
    this.#calls += usd
    return { kind: "call", usd, isOpen: true }
  }

  #end(reservation: Reservation): boolean {
    if (!reservation.isOpen) return false
    reservation.isOpen = false
    if (reservation.kind === "call") this.#calls -= reservation.usd
    else this.#batches -= reservation.usd
    if (Math.abs(this.#calls) < tolerance) this.#calls = 0
    if (Math.abs(this.#batches) < tolerance) this.#batches = 0
    return true
  }

  #spent(boundUsd: number, costUsd: number): void {
    if (costUsd > boundUsd + tolerance) this.#tellChargedAbove(boundUsd, costUsd)
    this.#warn()
    this.#pump()
  }

  /** Serves the line as far as the block goes; asks for the next one, or turns away whom nothing can help. */
  #pump(): void {
    // Whoever is served runs at once, and may settle and reserve: the loop that served it sees what came of that.
    if (this.#isPumping) return
    this.#isPumping = true
    for (let next = this.#line.first; next !== null; next = this.#line.first) {
      if (this.#failure === null && !this.#fitsBlock(next)) {
        if (this.#isGranting) break
        const fits = this.#calls + next <= this.#left + tolerance
        if (fits && this.#grantNext(Math.max(next, this.#waiting), 0)) continue
        // What is in flight may cost less than it holds, and then there is room. A batch may free money too, but only in a pass after this
        // one: nobody may wait for it here.
        if (this.#calls > 0 && next <= this.#left + tolerance) break
      }
      this.#line.grantFirst(
        this.#failure === null && this.#fitsBlock(next)
          ? this.#take(next)
          : new BudgetSpent({ neededUsd: next, headroomUsd: Math.max(0, this.#left - this.#calls) })
      )
    }
    this.#isPumping = false
    this.#grantAhead()
  }

  /** Half of a block before it is used up, the next is on its way. */
  #grantAhead(): void {
    if (this.#isGranting || this.#granted === 0 || this.#failure !== null) return
    if (this.#granted - this.#drawn - this.#calls < this.#block / 2) this.#grantNext(0, this.#block / 4)
  }

  /** Room for `wanted` and a block, as far as there is money. Less than `worth` more isn't worth a commit. Returns whether it is asked for. */
  #grantNext(wanted: number, worth: number): boolean {
    this.#measurePace()
    const total = Math.min(this.#left + this.#drawn, this.#drawn + this.#calls + wanted + this.#block)
    if (total <= this.#granted + worth) return false
    this.#isGranting = true
    const granted = Effect.matchEffect(this.#options.grant(total), {
      onSuccess: () => Effect.sync(() => void (this.#granted = total)),
      onFailure: (error) => Effect.sync(() => void (this.#failure = { error }))
    })
    this.#fork(
      Effect.andThen(
        granted,
        Effect.sync(() => {
          this.#isGranting = false
          this.#pump()
        })
      )
    )
    return true
  }

  #measurePace(): void {
    const now = this.#now()
    const ms = now - this.#pace.at
    if (ms < paceMs) return
    const pace = (this.#drawn - this.#pace.drawn) / ms
    this.#block = Math.max(pace * blockMs, this.#options.envelopeUsd * blockShare)
    this.#pace = { at: now, drawn: this.#drawn }
  }

  #warn(): void {
    if (this.#isWarned) return
    const { envelopeUsd, uncertainUsd, onWarning } = this.#options
    const { spentUsd } = this.snapshot()
    if (envelopeUsd === 0 || spentUsd + uncertainUsd < warnAt * envelopeUsd) return
    this.#isWarned = true
    this.#fork(onWarning(spentUsd))
  }

  #tellChargedAbove(boundUsd: number, costUsd: number): void {
    if (this.#isChargedAbove) return
    this.#isChargedAbove = true
    this.#fork(
      Effect.logWarning(
        `A call was charged ${costUsd} US dollars and its bound was ${boundUsd}: the bounds of this run don't hold. What is charged counts; ` +
          `calls in flight may pass the envelope by as much again. Check the model's price and \`maxTokens\`.`
      )
    )
  }
}
