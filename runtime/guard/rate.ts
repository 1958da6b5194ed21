/** The rate of calls to one model of an account: as fast as the provider allows, evenly, and never against its word (EXE-6). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"

import { Alarm } from "./alarm.ts"
import { Allowance, type Signal } from "./allowance.ts"
import { Closing, type Refusal } from "./closing.ts"
import { LearntPace } from "./learnt-pace.ts"
import { Meter } from "./meter.ts"
import { RoundTrip } from "./round-trip.ts"
import { Slots } from "./slots.ts"
import { SteadyTime } from "./steady-time.ts"
import { WaitingLine } from "./waiting-line.ts"

export interface RateOptions {
  /** The account's own limits, where they are known before the first answer. Headers can only lower them. */
  readonly requestsPerMinute?: number | null | undefined
  readonly tokensPerMinute?: number | null | undefined
  /** Calls in flight at most; 256 unless told. */
  readonly concurrencyMax?: number | undefined
}

/** What the provider said of its limits with an answer. */
export interface Signals {
  readonly requests: Signal | null
  readonly tokens: Signal | null
  /** Epoch ms before which nothing should be sent. */
  readonly retryAt: number | null
}

/** How a call ended, as far as the rate is concerned: `failed` is whatever says nothing of limits. */
export interface CallOutcome {
  readonly kind: "ok" | "rate-limited" | "overloaded" | "failed"
  readonly signals: Signals | null
  /** Input and output; null where nobody knows. */
  readonly tokensUsed: number | null
}

/** The right to one call; `release` takes it back. */
export interface Permit {
  readonly tokens: number
  /** The limiter's own: which refusals were known when it was sent, and its place in the order of sending. */
  readonly epoch: number
  readonly requestsMark: number
  readonly tokensMark: number
  readonly sentAt: number
  isHeld: boolean
  isHanging: boolean
}

export interface RateSnapshot {
  readonly inFlight: number
  /** Calls that may be in flight now. */
  readonly concurrency: number
  /** Sent in the last minute. */
  readonly requestsPerMinute: number
  /** The pace that is kept to; null while nothing is known of a limit. */
  readonly requestsPerMinuteMax: number | null
  readonly waiting: number
  /** 429s so far. */
  readonly throttled: number
  /** Epoch ms until which nothing is sent; null when open. */
  readonly closedUntil: number | null
}

interface Need {
  readonly tokens: number
  /** A wait beyond this time is in vain. */
  readonly by: number
}

const concurrencyMaxDefault = 256
const meterSeconds = 60

export class RateLimiter {
  readonly #time: SteadyTime
  readonly #requests: Allowance
  readonly #tokens: Allowance
  readonly #slots: Slots
  readonly #closing: Closing
  readonly #learnt = new LearntPace()
  readonly #roundTrip = new RoundTrip()
  /** Calls in flight that don't hang, the oldest first. */
  readonly #calls = new Set<Permit>()
  readonly #line = new WaitingLine<Need, Permit | null>((permit) => {
    if (permit !== null) this.cancel(permit)
  })
  readonly #sent = new Meter(meterSeconds)
  #alarm: Alarm | null = null
  #throttled = 0
  #isPumping = false

  /** Its timer lives as long as the scope. */
  static readonly make = (options: RateOptions): Effect.Effect<RateLimiter, never, Scope.Scope> =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const random = yield* Random.Random
      const limiter = new RateLimiter(new SteadyTime(clock), () => random.nextDoubleUnsafe(), options)
      limiter.#alarm = yield* Alarm.make(limiter.#time, () => limiter.#pump())
      return limiter
    })

  private constructor(time: SteadyTime, random: () => number, options: RateOptions) {
    this.#time = time
    this.#requests = new Allowance(options.requestsPerMinute)
    this.#tokens = new Allowance(options.tokensPerMinute)
    this.#slots = new Slots(options.concurrencyMax ?? concurrencyMaxDefault)
    this.#closing = new Closing(random)
  }

  /**
   * Waits for its turn, first come, first served; `tokens` is an estimate of input and output. Use it as the acquisition of
   * `Effect.acquireUseRelease`: the wait can be interrupted there, and an interrupted holder then releases.
   * With `by` (epoch ms) it's null when the account is or gets closed beyond that time: park the item, its slot is free (case 21).
   */
  acquire(tokens: number): Effect.Effect<Permit>
  acquire(tokens: number, by: number): Effect.Effect<Permit | null>
  acquire(tokens: number, by?: number): Effect.Effect<Permit | null> {
    return Effect.suspend(() => {
      const now = this.#time.now()
      if (this.#line.length === 0 && this.#waitMs(tokens, now) === 0) return Effect.succeed(this.#take(tokens, now))
      const need: Need = { tokens, by: by === undefined ? Number.POSITIVE_INFINITY : this.#time.of(by) }
      if (this.#closing.isClosed(now) && this.#closing.until > need.by) return Effect.succeed(null)
      return this.#line.wait(need, () => this.#pump())
    })
  }

  /** Ends a call, learns from it, and lets the next ones through. A second release of a permit does nothing. */
  release(permit: Permit, { kind, signals, tokensUsed }: CallOutcome): void {
    if (!permit.isHeld) return
    permit.isHeld = false
    const now = this.#time.now()
    if (kind === "ok") {
      this.#learnt.answered(now)
      this.#roundTrip.answered(now - permit.sentAt)
      this.#closing.succeeded(permit.epoch)
      this.#slots.widen()
    }
    this.#free(permit)
    const retryAt = signals === null || signals.retryAt === null ? null : this.#time.of(signals.retryAt)
    const isUnworked = kind === "rate-limited" || kind === "overloaded"
    const isRefused = isUnworked && !(kind === "overloaded" && this.#closing.isStray(retryAt))
    // What was refused was not worked on.
    const used = tokensUsed ?? (isUnworked ? 0 : permit.tokens)
    if (used !== permit.tokens) this.#tokens.giveBack(permit.tokens - used)
    const paceBefore = this.#pace(now)
    if (signals !== null) this.#hear(signals, permit, now)
    if (kind === "rate-limited") this.#throttled++
    if (isRefused) this.#refused(kind, permit, retryAt, paceBefore, now)
    else if (kind === "failed" && retryAt !== null) this.#closing.closeUntil(retryAt)
    if (isRefused || this.#closing.isClosed(now)) this.#paused(now)
    this.#pump()
  }

  /** Instead of `release`, where nothing was sent. */
  cancel(permit: Permit): void {
    if (!permit.isHeld) return
    permit.isHeld = false
    this.#free(permit)
    this.#requests.putBack(1)
    this.#tokens.putBack(permit.tokens)
    this.#pump()
  }

  /** Epoch ms until which the account is closed; null when it's open, though a turn may still have to be waited for. */
  waitUntil(): number | null {
    return this.#closing.isClosed(this.#time.now()) ? Math.ceil(this.#time.epochOf(this.#closing.until)) : null
  }

  snapshot(): RateSnapshot {
    const now = this.#time.now()
    const pace = this.#pace(now)
    return {
      inFlight: this.#slots.inFlight,
      concurrency: this.#slots.limit,
      requestsPerMinute: this.#sent.sum(now),
      requestsPerMinuteMax: pace === Number.POSITIVE_INFINITY ? null : pace * 60_000,
      waiting: this.#line.length,
      throttled: this.#throttled,
      closedUntil: this.waitUntil()
    }
  }

  #pace(now: number): number {
    return Math.min(this.#requests.perMs, this.#learnt.perMs(now))
  }

  /** Counts out the calls that hang: a few that never end would else hold all slots of an account that is otherwise well. Ms until the next does. */
  #passOverHanging(now: number): number {
    const { patienceMs } = this.#roundTrip
    for (const permit of this.#calls) {
      const inMs = permit.sentAt + patienceMs - now
      if (inMs > 0) return inMs
      permit.isHanging = true
      this.#slots.hang()
      this.#calls.delete(permit)
    }
    return Number.POSITIVE_INFINITY
  }

  #free(permit: Permit): void {
    if (permit.isHanging) this.#slots.unhang()
    else this.#calls.delete(permit)
    this.#slots.free()
  }

  /** Ms until so many tokens may be sent; Infinity where only a release can tell. */
  #waitMs(tokens: number, now: number): number {
    if (!this.#slots.isFree) {
      const hangsInMs = this.#passOverHanging(now)
      if (!this.#slots.isFree) return hangsInMs
    }
    if (this.#closing.isClosed(now)) return this.#closing.until - now
    const requestsMs = this.#requests.waitMs(1, this.#learnt.perMs(now), now)
    return requestsMs > 0 ? requestsMs : this.#tokens.waitMs(tokens, Number.POSITIVE_INFINITY, now)
  }

  #take(tokens: number, now: number): Permit {
    this.#slots.take()
    this.#requests.take(1)
    this.#tokens.take(tokens)
    this.#sent.add(now)
    this.#learnt.sent(now)
    const permit = {
      tokens,
      epoch: this.#closing.epoch,
      requestsMark: this.#requests.sent,
      tokensMark: this.#tokens.sent,
      sentAt: now,
      isHeld: true,
      isHanging: false
    }
    this.#calls.add(permit)
    return permit
  }

  /** Lets through whoever may go. A fiber that is let through runs at once and may get here again: it leaves the rest to the first. */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    for (let need = this.#line.first; need !== null; need = this.#line.first) {
      const now = this.#time.now()
      const waitMs = this.#waitMs(need.tokens, now)
      if (waitMs > 0) {
        if (waitMs !== Number.POSITIVE_INFINITY) this.#alarm?.ringAt(now + waitMs)
        break
      }
      this.#line.grantFirst(this.#take(need.tokens, now))
    }
    this.#isPumping = false
  }

  #hear({ requests, tokens }: Signals, { requestsMark, tokensMark }: Permit, now: number): void {
    if (requests !== null) this.#requests.hear(this.#steady(requests), roundingOf(requests), requestsMark, now)
    if (tokens !== null) this.#tokens.hear(this.#steady(tokens), roundingOf(tokens), tokensMark, now)
  }

  #steady({ limit, remaining, resetAt }: Signal): Signal {
    return { limit, remaining, resetAt: resetAt === null ? null : this.#time.of(resetAt) }
  }

  #paused(now: number): void {
    const { until } = this.#closing
    if (this.#pace(now) !== Number.POSITIVE_INFINITY) this.#requests.drainUntil(Math.max(now, until))
    if (until > now) this.#line.grantWhere(({ by }) => by < until, null)
  }

  #refused(kind: Refusal, { epoch }: Permit, retryAt: number | null, paceBefore: number, now: number): void {
    // A refusal that comes while nothing is known of the limit, and brings the limit, is no reproach.
    const isExplained = paceBefore === Number.POSITIVE_INFINITY && this.#requests.perMs !== Number.POSITIVE_INFINITY
    const isNews = this.#closing.refused(kind, epoch, retryAt, now)
    const isOfPace = kind === "rate-limited" && (isExplained || this.#learnt.refused(this.#requests.perMs, now))
    if (isNews) {
      const isToldToWait = retryAt !== null && retryAt > now
      const isPaced = this.#pace(now) !== Number.POSITIVE_INFINITY
      if (kind === "overloaded" || (!isToldToWait && !(isOfPace && isPaced))) this.#slots.halve()
      if (!isPaced) this.#slots.restart()
    }
  }
}

/** Some providers round up to whole seconds: by how much on average. */
const roundingOf = ({ resetAt }: Signal): number => (resetAt !== null && resetAt % 1_000 === 0 ? 500 : 0)
