/** Servers that limit requests in the ways that real ones do, on the clock of the test, and clients that keep them busy. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"

import type { RateLimiter, Signals } from "../../../runtime/guard/rate.ts"
import type { LimitSignals } from "../../../runtime/provider/provider-error.ts"

export interface Admission {
  readonly isAdmitted: boolean
  readonly signals: LimitSignals | null
}

export interface Server {
  admit(now: number, tokens: number): Admission
}

/** What the server says: `whole-seconds` is exact but for reset times, which it rounds up to the second as Anthropic does. */
export type Headers = "none" | "exact" | "whole-seconds"
/** How a refusal says when to come back. */
export type RetryAfter = "none" | "ms" | "seconds" | "past"

export interface Said {
  readonly headers: Headers
  readonly retryAfter: RetryAfter
}

const retryAtOf = (form: RetryAfter, now: number, roomAt: number): number | null => {
  switch (form) {
    case "none":
      return null
    case "ms":
      return roomAt
    case "seconds":
      return now + Math.ceil((roomAt - now) / 1_000) * 1_000
    case "past":
      return now - 60_000
  }
}

class Level {
  perMinute: number
  readonly #burstSeconds: number
  #level: number
  #at = 0

  constructor(perMinute: number, burstSeconds: number) {
    this.perMinute = perMinute
    this.#burstSeconds = burstSeconds
    this.#level = this.#size
  }

  get #size(): number {
    return Math.max(1, (this.perMinute / 60) * this.#burstSeconds)
  }

  /** When there is room for so much; `now` or before means now. */
  roomAt(need: number, now: number): number {
    this.#level = Math.min(this.#size, this.#level + ((now - this.#at) * this.perMinute) / 60_000)
    this.#at = now
    return now + ((Math.min(need, this.#size) - this.#level - 1e-9) / this.perMinute) * 60_000
  }

  take(amount: number): void {
    this.#level -= amount
  }

  signal(headers: Headers, now: number) {
    if (headers === "none") return null
    const resetAt = now + ((this.#size - this.#level) / this.perMinute) * 60_000
    return {
      limit: this.perMinute,
      remaining: Math.max(0, Math.floor(this.#level)),
      resetAt: headers === "exact" ? resetAt : Math.ceil(resetAt / 1_000) * 1_000
    }
  }
}

/** Token buckets of requests and, if asked, of tokens, that hold some seconds' worth. */
export class BucketServer implements Server {
  readonly requests: Level
  readonly #tokens: Level | null
  readonly #said: Said

  constructor(requestsPerMinute: number, burstSeconds: number, said: Said, tokensPerMinute: number | null = null) {
    this.requests = new Level(requestsPerMinute, burstSeconds)
    this.#tokens = tokensPerMinute === null ? null : new Level(tokensPerMinute, burstSeconds)
    this.#said = said
  }

  /** What somebody else sends who goes first. */
  take(now: number): void {
    this.requests.roomAt(1, now)
    this.requests.take(1)
  }

  admit(now: number, tokens: number): Admission {
    const roomAt = Math.max(this.requests.roomAt(1, now), this.#tokens?.roomAt(tokens, now) ?? now)
    const isAdmitted = roomAt <= now
    if (isAdmitted) {
      this.requests.take(1)
      this.#tokens?.take(tokens)
    }
    const { headers, retryAfter } = this.#said
    return {
      isAdmitted,
      signals: {
        requests: this.requests.signal(headers, now),
        tokens: this.#tokens?.signal(headers, now) ?? null,
        retryAt: isAdmitted ? null : retryAtOf(retryAfter, now, roomAt)
      }
    }
  }
}

/** So many requests in every minute of its own clock, no matter when in the minute. */
export class WindowServer implements Server {
  readonly #perMinute: number
  readonly #offsetMs: number
  readonly #said: Said
  #window = -1
  #used = 0

  constructor(perMinute: number, offsetMs: number, said: Said) {
    this.#perMinute = perMinute
    this.#offsetMs = offsetMs
    this.#said = said
  }

  /** Somebody else uses up so much of the window at hand. */
  use(amount: number, now: number): void {
    this.#turnTo(now)
    this.#used += amount
  }

  admit(now: number): Admission {
    const resetAt = this.#turnTo(now)
    const isAdmitted = this.#used < this.#perMinute
    if (isAdmitted) this.#used++
    const { headers, retryAfter } = this.#said
    const remaining = Math.max(0, this.#perMinute - this.#used)
    return {
      isAdmitted,
      signals: {
        requests: headers === "none" ? null : { limit: this.#perMinute, remaining, resetAt },
        tokens: null,
        retryAt: isAdmitted ? null : retryAtOf(retryAfter, now, resetAt)
      }
    }
  }

  #turnTo(now: number): number {
    const window = Math.floor((now + this.#offsetMs) / 60_000)
    if (window !== this.#window) this.#used = 0
    this.#window = window
    return (window + 1) * 60_000 - this.#offsetMs
  }
}

export interface Arrival {
  readonly at: number
  readonly isAdmitted: boolean
}

export interface Client {
  readonly workers: number
  /** Of an answer; a refusal comes at once. Bounds of an even spread. */
  readonly latencyMs: readonly [number, number]
  /** Until a request has arrived at the server. */
  readonly wayMs: readonly [number, number]
  /** Of a request: what's estimated, and what it turns out to be. */
  readonly tokens?: (draw: number) => { readonly estimate: number; readonly used: number }
}

const between = ([from, to]: readonly [number, number]) => Random.nextBetween(from, Math.max(to, from + 1e-9))

const oneToken = () => ({ estimate: 1, used: 1 })

/** Workers that call the server without a pause until the scope closes; every arrival goes into the log. */
export const keepBusy = Effect.fnUntraced(function* (limiter: RateLimiter, server: Server, client: Client, log: Array<Arrival>) {
  const call = Effect.fnUntraced(function* (tokens: number) {
    yield* Effect.sleep(yield* between(client.wayMs))
    const at = yield* Clock.currentTimeMillis
    const admission = server.admit(at, tokens)
    log.push({ at, isAdmitted: admission.isAdmitted })
    if (admission.isAdmitted) yield* Effect.sleep(yield* between(client.latencyMs))
    return admission
  })
  const once = Effect.gen(function* () {
    const { estimate, used } = (client.tokens ?? oneToken)(yield* Random.next)
    yield* Effect.acquireUseRelease(
      limiter.acquire(estimate),
      () => call(estimate),
      (permit, exit) => Effect.sync(() => limiter.release(permit, Exit.isSuccess(exit) ? outcomeOf(exit.value, used) : abandoned))
    )
  })
  yield* Effect.forEach(Array.from({ length: client.workers }), () => Effect.forkScoped(Effect.forever(once)), { discard: true })
})

const abandoned = { kind: "failed", signals: null, tokensUsed: null } as const

const outcomeOf = ({ isAdmitted, signals }: Admission, used: number) =>
  ({ kind: isAdmitted ? "ok" : "rate-limited", signals: signals satisfies Signals | null, tokensUsed: isAdmitted ? used : null }) as const

export interface Use {
  readonly admitted: number
  readonly refused: number
  readonly refusedShare: number
  /** Of the limit. */
  readonly usedShare: number
}

export const useOf = (log: ReadonlyArray<Arrival>, from: number, to: number, perMinute: number): Use => {
  const seen = log.filter(({ at }) => at >= from && at < to)
  const admitted = seen.filter(({ isAdmitted }) => isAdmitted).length
  const refused = seen.length - admitted
  return {
    admitted,
    refused,
    refusedShare: seen.length === 0 ? 0 : refused / seen.length,
    usedShare: admitted / ((perMinute * (to - from)) / 60_000)
  }
}

/** In small steps, so that a test that would never end fails by its own time limit. */
export const passMinutes = (minutes: number): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: minutes }), () => TestClock.adjust("1 minute"), { discard: true })
