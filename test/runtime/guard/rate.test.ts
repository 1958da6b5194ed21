/** The limiter's turns: who goes when, who waits, and what a provider's word does to it. */
import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect } from "vitest"

import { RateLimiter } from "../../../runtime/guard/rate.ts"
import { call, failed, ok, overloaded, queueUp, refused, saying, takeAll } from "./rate-calls.ts"

describe("slots", () => {
  it.effect("[EXE-6] [case 64] 1,000 items of 10 ms in 2 slots take 5 s: a freed slot wakes a waiter at once", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ concurrencyMax: 2 })
      const all = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 1_000 }), () => call(limiter, 10), { concurrency: "unbounded", discard: true })
      )
      yield* TestClock.adjust(4_999)
      expect(limiter.snapshot()).toMatchObject({ inFlight: 2, waiting: 0 })
      expect(all.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      expect(all.pollUnsafe()).toStrictEqual(Exit.void)
      expect(limiter.snapshot()).toMatchObject({ inFlight: 0, concurrency: 2, requestsPerMinute: 1_000, throttled: 0 })
    })
  )

  it.effect("[EXE-6] calls that hang don't hold the slots of an account that answers: after a pause only the maximum counts them", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ concurrencyMax: 10 })
      const hanging = yield* Effect.all(Array.from({ length: 5 }, () => limiter.acquire(1)))
      yield* call(limiter, 20).pipe(Effect.forkChild)
      yield* TestClock.adjust(20)
      const refusing = yield* limiter.acquire(1)
      limiter.release(refusing, overloaded)
      yield* TestClock.adjust("10 seconds")
      expect(limiter.snapshot().concurrency).toBeLessThanOrEqual(5)
      const { granted } = yield* queueUp(limiter, 20)
      expect(granted).toHaveLength(0)
      yield* TestClock.adjust("20 seconds")
      // They may end late: as long as they haven't, ten calls are in flight at most.
      expect(granted.length).toBeGreaterThan(0)
      expect(limiter.snapshot().inFlight).toBeLessThanOrEqual(10)
      for (const permit of hanging) limiter.release(permit, failed)
      for (let place = 0; place < 20; place++) limiter.release(granted[place]?.permit ?? refusing, ok)
      expect(granted).toHaveLength(20)
      expect(limiter.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
    })
  )

  it.effect("[EXE-6] who came first goes first", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ concurrencyMax: 1 })
      const held = yield* limiter.acquire(1)
      const { granted } = yield* queueUp(limiter, 50)
      expect(limiter.snapshot().waiting).toBe(50)
      limiter.release(held, ok)
      for (let place = 0; place < 50; place++) {
        expect(granted).toHaveLength(place + 1)
        expect(granted[place]?.place).toBe(place)
        limiter.release(granted[place]?.permit ?? held, ok)
      }
      expect(limiter.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
    })
  )

  it.effect("[EXE-6] 20,000 waiters whose calls end at once wake each other without deepening the stack", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ concurrencyMax: 1 })
      const held = yield* limiter.acquire(1)
      let done = 0
      const once = Effect.map(limiter.acquire(1), (permit) => {
        limiter.release(permit, ok)
        done++
      })
      yield* Effect.forEach(Array.from({ length: 20_000 }), () => Effect.forkScoped(once), { discard: true })
      yield* TestClock.adjust(0)
      limiter.release(held, ok)
      yield* TestClock.adjust(0)
      expect(done).toBe(20_000)
    })
  )

  it.effect("[EXE-6] concurrency starts at 16, doubles a round trip up to its bound, halves on overload and is never below 1", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ concurrencyMax: 100 })
      const seen: Array<number> = []
      for (let trip = 0; trip < 5; trip++) {
        const { concurrency } = limiter.snapshot()
        seen.push(concurrency)
        for (const permit of yield* takeAll(limiter, concurrency)) limiter.release(permit, ok)
      }
      expect(seen).toEqual([16, 32, 64, 100, 100])

      // All of one round trip are refused: that counts once.
      for (const permit of yield* takeAll(limiter, 100)) limiter.release(permit, overloaded)
      for (let refusals = 0; refusals < 8; refusals++) {
        yield* TestClock.adjust("2 minutes")
        limiter.release(yield* limiter.acquire(1), overloaded)
      }
      expect(limiter.snapshot().concurrency).toBe(1)
      yield* TestClock.adjust("2 minutes")
      for (let trip = 0; trip < 4; trip++)
        for (const permit of yield* takeAll(limiter, limiter.snapshot().concurrency)) limiter.release(permit, ok)
      // One more each round trip, not twice as many.
      expect(limiter.snapshot().concurrency).toBeGreaterThan(3)
      expect(limiter.snapshot().concurrency).toBeLessThan(9)
    }).pipe(Random.withSeed(1))
  )

  it.effect("[EXE-6] a limit that isn't used doesn't grow", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({})
      for (let calls = 0; calls < 1_000; calls++) limiter.release(yield* limiter.acquire(1), ok)
      expect(limiter.snapshot().concurrency).toBe(16)
    })
  )
})

describe("interruption", () => {
  it.effect("[EXE-6] an interrupted waiter leaves the line, an interrupted holder gives its slot to the next", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ concurrencyMax: 1 })
      const holder = yield* Effect.forkChild(call(limiter, 3_600_000))
      yield* TestClock.adjust(0)
      const waiter = yield* Effect.forkChild(call(limiter, 1))
      const next = yield* Effect.forkChild(call(limiter, 1))
      yield* TestClock.adjust(0)
      expect(limiter.snapshot()).toMatchObject({ inFlight: 1, waiting: 2 })
      yield* Fiber.interrupt(waiter)
      expect(limiter.snapshot()).toMatchObject({ inFlight: 1, waiting: 1 })
      yield* Fiber.interrupt(holder)
      yield* TestClock.adjust(1)
      expect(next.pollUnsafe()).toStrictEqual(Exit.void)
      expect(limiter.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
    })
  )

  it.effect("[EXE-6] a waiter that is interrupted by whoever wakes it doesn't keep what it was granted", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ concurrencyMax: 1 })
      const held = yield* limiter.acquire(1)
      // The first waiter's first act is to interrupt the second, in the same step in which slots are freed and granted.
      const victims: Array<Fiber.Fiber<void>> = []
      const first = Effect.acquireUseRelease(
        limiter.acquire(1),
        () => Effect.forEach(victims, (victim) => Fiber.interrupt(victim), { discard: true }),
        (permit) => Effect.sync(() => limiter.release(permit, ok))
      )
      yield* Effect.forkScoped(first)
      victims.push(yield* Effect.forkScoped(call(limiter, 1)))
      yield* TestClock.adjust(0)
      limiter.release(held, ok)
      yield* TestClock.adjust(10)
      expect(limiter.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
    })
  )

  it.effect("[EXE-6] one that needs little goes on when the big one ahead of it gives up", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ tokensPerMinute: 60_000 })
      limiter.release(yield* limiter.acquire(250), { ...ok, tokensUsed: 250 })
      yield* TestClock.adjust(100)
      const big = yield* Effect.forkScoped(limiter.acquire(30_000))
      yield* TestClock.adjust(0)
      const { granted } = yield* queueUp(limiter, 1, 50)
      expect(granted).toHaveLength(0)
      yield* Fiber.interrupt(big)
      yield* TestClock.adjust(0)
      expect(granted).toHaveLength(1)
    })
  )

  it.each([1, 2, 3, 4, 5])("[EXE-6] no slot is lost or made however calls are interrupted (seed %i)", (seed) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const limiter = yield* RateLimiter.make({ concurrencyMax: 4, requestsPerMinute: 3_000 })
        for (let round = 0; round < 40; round++) {
          const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () =>
            Effect.flatMap(Random.nextIntBetween(0, 60), (ms) => Effect.forkChild(call(limiter, ms)))
          )
          for (const fiber of fibers) {
            if ((yield* Random.next) < 0.4) yield* Effect.forkChild(Fiber.interrupt(fiber))
            if ((yield* Random.next) < 0.3) yield* TestClock.adjust(yield* Random.nextIntBetween(0, 20))
            const { inFlight, waiting } = limiter.snapshot()
            expect(inFlight).toBeLessThanOrEqual(4)
            expect(inFlight).toBeGreaterThanOrEqual(0)
            expect(waiting).toBeGreaterThanOrEqual(0)
          }
        }
        yield* TestClock.adjust("1 minute")
        expect(limiter.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
      }).pipe(Effect.scoped, Random.withSeed(seed), Effect.provide(TestClock.layer()))
    )
  )
})

describe("pace", () => {
  it.effect("[EXE-6] tokens are charged as estimated while a call is out, and as used once it's back", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ tokensPerMinute: 60_000 })
      const granted = (tokensUsed: number) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("1 minute")
          const permit = yield* limiter.acquire(10_000)
          limiter.release(permit, { ...ok, tokensUsed })
          const from = yield* Clock.currentTimeMillis
          const next = yield* queueUp(limiter, 1, 100)
          yield* TestClock.adjust("2 minutes")
          for (const { permit } of next.granted) limiter.release(permit, { ...ok, tokensUsed: 100 })
          return (next.granted[0]?.at ?? Number.NaN) - from
        })
      // 0.98 tokens a ms, and a bucket of 245.
      expect(yield* granted(100)).toBe(0)
      expect(yield* granted(10_000)).toBeCloseTo((10_000 - 245 + 100) / 0.98, -1)
      expect(yield* granted(20_000)).toBeCloseTo((20_000 - 245 + 100) / 0.98, -1)
    })
  )

  it.effect(
    "[EXE-6] what is left by the provider's word is not passed before its reset; an older answer's word doesn't undo a newer one's",
    () =>
      Effect.gen(function* () {
        const limiter = yield* RateLimiter.make({ requestsPerMinute: 6_000 })
        const [older, newer] = yield* Effect.all([limiter.acquire(1), limiter.acquire(1)])
        const word = (remaining: number) => ({ ...ok, signals: saying({ requests: { limit: 6_000, remaining, resetAt: 30_000 } }) })
        limiter.release(newer, word(3))
        limiter.release(older, word(4_000))
        const { granted } = yield* queueUp(limiter, 10)
        // Spread over the time: the last of the three at its end.
        yield* TestClock.adjust(14_000)
        expect(granted).toHaveLength(1)
        yield* TestClock.adjust(15_000)
        expect(granted).toHaveLength(2)
        yield* TestClock.adjust(2_000)
        expect(granted).toHaveLength(10)
      })
  )

  // Red when this was landed: see the closing note of the issue.
  it.effect("[EXE-6] what was sent after the request that is answered is no longer left", () =>
    Effect.gen(function* () {
      for (const [answered, sent] of [
        [0, 1],
        [2, 2]
      ] as const) {
        const limiter = yield* RateLimiter.make({ requestsPerMinute: 60_000 })
        const permits = yield* takeAll(limiter, 3)
        const from = yield* Clock.currentTimeMillis
        const requests = { limit: 60_000, remaining: 3, resetAt: from + 30_000 }
        limiter.release(permits[answered] ?? (yield* Effect.die("no permit")), { ...ok, signals: saying({ requests }) })
        const { granted } = yield* queueUp(limiter, 6)
        yield* TestClock.adjust(29_000)
        expect(granted).toHaveLength(sent)
      }
    })
  )

  it.effect("[EXE-6] a reset that a provider's clock puts an hour away is waited for a minute at most", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({})
      const requests = { limit: 600, remaining: 0, resetAt: 3_600_000 }
      limiter.release(yield* limiter.acquire(1), { ...ok, signals: saying({ requests }) })
      const { granted } = yield* queueUp(limiter, 1)
      yield* TestClock.adjust(59_999)
      expect(granted).toHaveLength(0)
      yield* TestClock.adjust(1)
      expect(granted).toHaveLength(1)
    })
  )

  it.effect("[EXE-6] a permit that is cancelled costs nothing of the rate; one that was used does", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ requestsPerMinute: 60, tokensPerMinute: 60 })
      limiter.cancel(yield* limiter.acquire(1))
      const permit = yield* limiter.acquire(1)
      const { granted } = yield* queueUp(limiter, 1)
      limiter.release(permit, failed)
      limiter.cancel(permit)
      yield* TestClock.adjust(1_000)
      expect(granted).toHaveLength(0)
      yield* TestClock.adjust(50)
      expect(granted).toHaveLength(1)
      expect(limiter.snapshot().inFlight).toBe(1)
    })
  )

  it.effect("[EXE-6] limits that make no sense are not believed", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ requestsPerMinute: 0, tokensPerMinute: Number.NaN })
      for (const limit of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, null]) {
        const requests = { limit, remaining: Number.NaN, resetAt: Number.NaN }
        limiter.release(yield* limiter.acquire(1), { ...ok, signals: saying({ requests, tokens: requests, retryAt: Number.NaN }) })
      }
      expect(limiter.snapshot()).toMatchObject({ requestsPerMinuteMax: null, closedUntil: null })
      expect((yield* queueUp(limiter, 10)).granted).toHaveLength(10)
    })
  )

  it.effect("[EXE-6] a permit that is released twice frees one slot", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({})
      const [permit] = yield* Effect.all([limiter.acquire(1), limiter.acquire(1)])
      limiter.release(permit, ok)
      limiter.release(permit, refused(60_000))
      expect(limiter.snapshot()).toMatchObject({ inFlight: 1, throttled: 0, closedUntil: null })
    })
  )
})
