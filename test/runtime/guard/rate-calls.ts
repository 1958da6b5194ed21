/** Calls under a limiter, and how they end. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/testing/TestClock"

import type { CallOutcome, Permit, RateLimiter, Signals } from "../../../runtime/guard/rate.ts"

/** Outcomes of calls. */
export const ok: CallOutcome = { kind: "ok", signals: null, tokensUsed: null }
export const failed: CallOutcome = { kind: "failed", signals: null, tokensUsed: null }
export const saying = (signals: Partial<Signals>): Signals => ({ requests: null, tokens: null, retryAt: null, ...signals })
export const refused = (retryAt: number | null): CallOutcome => ({ kind: "rate-limited", signals: saying({ retryAt }), tokensUsed: null })
export const overloaded: CallOutcome = { kind: "overloaded", signals: null, tokensUsed: null }

/** A call of so many ms, with its limiter's permit. */
export const call = (limiter: RateLimiter, ms: number, outcome = ok) =>
  Effect.acquireUseRelease(
    limiter.acquire(1),
    () => Effect.sleep(ms),
    (permit, exit) => Effect.sync(() => limiter.release(permit, Exit.isSuccess(exit) ? outcome : failed))
  )

/** As many permits at once. */
export const takeAll = (limiter: RateLimiter, count: number) => Effect.forEach(Array.from({ length: count }), () => limiter.acquire(1))

/** Starts as many waits, and lists the permits in the order in which they are granted. */
export const queueUp = Effect.fnUntraced(function* (limiter: RateLimiter, count: number, tokens = 1) {
  const granted: Array<{ readonly place: number; readonly at: number; readonly permit: Permit }> = []
  const fibers = yield* Effect.forEach(
    Array.from({ length: count }, (_, place) => place),
    (place) =>
      Effect.forkScoped(
        Effect.flatMap(Effect.all([limiter.acquire(tokens), Clock.currentTimeMillis] as const), ([permit, at]) =>
          Effect.sync(() => granted.push({ place, at, permit }))
        )
      )
  )
  yield* TestClock.adjust(0)
  return { granted, fibers }
})
