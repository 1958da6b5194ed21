/** The limiter against servers that limit: how much of the limit it uses, and how often it's told off. */
import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect } from "vitest"

import { RateLimiter, type RateOptions } from "../../../runtime/guard/rate.ts"
import {
  type Arrival,
  BucketServer,
  type Client,
  type Headers,
  keepBusy,
  passMinutes,
  type RetryAfter,
  type Server,
  useOf,
  WindowServer
} from "./limited-server.ts"

const minute = 60_000
const quick: Client = { workers: 64, latencyMs: [20, 40], wayMs: [1, 30] }
const slow: Client = { workers: 256, latencyMs: [5_000, 20_000], wayMs: [1, 200] }
const told = { headers: "exact", retryAfter: "ms" } as const
const silent = { headers: "none", retryAfter: "none" } as const

interface Scene {
  readonly server: Server
  readonly client?: Client
  readonly options?: RateOptions
  readonly minutes: number
  readonly seed?: number
}

const simulate = Effect.fnUntraced(function* ({ server, client = quick, options = {}, minutes, seed = 1 }: Scene) {
  const log: Array<Arrival> = []
  const limiter = yield* RateLimiter.make(options)
  yield* keepBusy(limiter, server, client, log)
  yield* passMinutes(minutes)
  return { log, limiter, seed }
})

const play = (scene: Scene) => Effect.scoped(simulate(scene)).pipe(Random.withSeed(scene.seed ?? 1))

/** The most that arrived within so many ms. */
const burstOf = (log: ReadonlyArray<Arrival>, ms: number): number => {
  const times = log.map(({ at }) => at).toSorted((a, b) => a - b)
  let most = 0
  for (let first = 0, last = 0; last < times.length; last++) {
    while ((times[last] ?? 0) - (times[first] ?? 0) >= ms) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

/** 64-bit mixing of the seed, so that one seed draws one scene for ever. */
const drawsOf = (seed: number) => {
  let state = BigInt(seed) * 0x9e3779b97f4a7c15n
  return (from: number, to: number): number => {
    state = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n + 0x94d049bb133111ebn)
    return from + (Number(state >> 40n) / 2 ** 24) * (to - from)
  }
}

describe("a limit that headers tell", () => {
  it.effect(
    "[EXE-6] 600 requests/min in a bucket of one second: at least 95 % used, at most 1 % refused; without the limiter most are",
    () =>
      Effect.gen(function* () {
        const { log } = yield* play({ server: new BucketServer(600, 1, told), minutes: 6 })
        const steady = useOf(log, minute, 6 * minute, 600)
        expect(steady.usedShare).toBeGreaterThan(0.95)
        expect(steady.refusedShare).toBeLessThanOrEqual(0.01)
        // Before the first answer nothing is known: no more than the first round trip's calls are refused.
        expect(useOf(log, 0, minute, 600).refused).toBeLessThan(16)

        const control = new BucketServer(600, 1, told)
        const at = Array.from({ length: 64 * 60 * 20 }, (_, call) => (call * 50) / 64)
        const refused = at.filter((now) => !control.admit(now, 1).isAdmitted).length
        expect(refused / at.length).toBeGreaterThan(0.5)
      })
  )

  it.effect("[EXE-6] with answers that take 5 to 20 s, which come when what they say of the limit is long past", () =>
    Effect.gen(function* () {
      const { log } = yield* play({ server: new BucketServer(600, 1, told), client: slow, minutes: 6 })
      const steady = useOf(log, minute, 6 * minute, 600)
      expect(steady.usedShare).toBeGreaterThan(0.95)
      expect(steady.refusedShare).toBeLessThanOrEqual(0.01)
    })
  )

  it.effect("[EXE-6] a declared limit is kept from the first call on: none is refused", () =>
    Effect.gen(function* () {
      const { log } = yield* play({ server: new BucketServer(600, 1, silent), options: { requestsPerMinute: 600 }, minutes: 3 })
      expect(useOf(log, 0, 3 * minute, 600)).toMatchObject({ refused: 0 })
      expect(useOf(log, minute, 3 * minute, 600).usedShare).toBeGreaterThan(0.95)
    })
  )

  it.effect("[EXE-6] a window that another client has used to a tenth is spread to its end, and no burst follows when it's new", () =>
    Effect.gen(function* () {
      const server = new WindowServer(600, 20_000, told)
      server.use(480, 0)
      const { log } = yield* play({ server, options: { requestsPerMinute: 600 }, minutes: 4 })
      const all = useOf(log, 0, 4 * minute, 600)
      expect(all.refused).toBe(0)
      // The old window ends at 40 s: 120 requests in that time, not in the first 12 s.
      expect(useOf(log, 0, 40_000, 600).admitted).toBeLessThanOrEqual(120)
      expect(useOf(log, 0, 40_000, 600).admitted).toBeGreaterThan(100)
      expect(useOf(log, 20_000, 40_000, 600).admitted).toBeGreaterThan(40)
      expect(burstOf(log, 100)).toBeLessThanOrEqual(6)
      expect(useOf(log, minute, 4 * minute, 600).usedShare).toBeGreaterThan(0.95)
    })
  )

  it.effect("[EXE-6] another client takes half of the limit: what the headers say is left is trusted over our own count", () =>
    Effect.gen(function* () {
      const shared = (headers: Headers) =>
        Effect.gen(function* () {
          const server = new BucketServer(600, 10, { headers, retryAfter: "ms" })
          const other = Effect.forever(
            Effect.gen(function* () {
              yield* Effect.sleep(200)
              server.take(yield* Clock.currentTimeMillis)
            })
          )
          yield* Effect.forkScoped(other)
          return (yield* simulate({ server, options: { requestsPerMinute: 600 }, minutes: 6 })).log
        }).pipe(Effect.scoped, Random.withSeed(1), Effect.provide(TestClock.layer()))
      const log = yield* shared("exact")
      const steady = useOf(log, minute, 6 * minute, 300)
      expect(steady.usedShare).toBeGreaterThan(0.9)
      expect(steady.refused).toBe(0)
      expect(useOf(yield* shared("none"), minute, 6 * minute, 300).refused).toBeGreaterThan(0)
    })
  )

  it.effect("[EXE-6] tokens: calls of 200 to 8,000 tokens use up a limit of tokens/min and meet no refusal", () =>
    Effect.gen(function* () {
      const server = new BucketServer(10_000, 10, told, 120_000)
      let sent = 0
      const tokens = (draw: number) => {
        const estimate = Math.floor(200 + draw ** 3 * 7_800)
        return { estimate, used: estimate }
      }
      const counted: Server = {
        admit: (now, need) => {
          const admission = server.admit(now, need)
          if (admission.isAdmitted && now >= minute) sent += need
          return admission
        }
      }
      const { log } = yield* play({ server: counted, client: { ...quick, tokens }, options: { tokensPerMinute: 120_000 }, minutes: 6 })
      expect(useOf(log, minute, 6 * minute, 600).refusedShare).toBeLessThanOrEqual(0.01)
      expect(sent / (5 * 120_000)).toBeGreaterThan(0.95)
    })
  )

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    "[EXE-6] any bucket, any latency, any form of reset time: >= 95 %, <= 1 % (seed %i)",
    (seed) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const draw = drawsOf(seed)
          const perMinute = Math.round(60 * 10 ** draw(0.5, 1.8))
          const headers: Headers = draw(0, 1) < 0.5 ? "exact" : "whole-seconds"
          const retryAfter: RetryAfter = (["none", "ms", "seconds", "past"] as const)[Math.floor(draw(0, 4))] ?? "none"
          const fastest = 10 ** draw(1, 3.7)
          // Enough workers to use the limit up even if each call takes as long as the slowest.
          const client: Client = {
            workers: Math.ceil((perMinute / minute) * fastest * 3) + 8,
            latencyMs: [fastest, fastest * 2],
            wayMs: [1, 100]
          }
          const server = new BucketServer(perMinute, 10 ** draw(0, 1.8), { headers, retryAfter })
          const { log } = yield* play({ server, client, options: { concurrencyMax: 1_024 }, minutes: 5, seed })
          const steady = useOf(log, 2 * minute, 5 * minute, perMinute)
          if (process.env.DBG)
            console.log(
              seed,
              perMinute,
              headers,
              retryAfter,
              fastest,
              client,
              server,
              [0, 1, 2, 3, 4].map((m) => useOf(log, m * minute, (m + 1) * minute, perMinute))
            )
          expect(steady.usedShare).toBeGreaterThan(0.95)
          expect(steady.refusedShare).toBeLessThanOrEqual(0.01)
        }).pipe(Effect.provide(TestClock.layer()))
      )
  )
})

describe("a limit that only refusals tell", () => {
  it.effect.each([
    ["in a bucket of one second", 1],
    ["in a bucket of a minute", 60]
  ] as const)("[EXE-6] 600 requests/min %s: found within two minutes, then at least 95 % used and at most 1 % refused", ([, seconds]) =>
    Effect.gen(function* () {
      const { log } = yield* play({ server: new BucketServer(600, seconds, silent), minutes: 12 })
      const steady = useOf(log, 2 * minute, 12 * minute, 600)
      expect(steady.usedShare).toBeGreaterThan(0.95)
      expect(steady.refusedShare).toBeLessThanOrEqual(0.01)
      expect(useOf(log, 0, 2 * minute, 600).refused).toBeLessThan(200)
    })
  )

  it.effect("[EXE-6] with answers that take 5 to 20 s: found within five minutes", () =>
    Effect.gen(function* () {
      const { log } = yield* play({ server: new BucketServer(600, 1, silent), client: slow, minutes: 12 })
      const steady = useOf(log, 5 * minute, 12 * minute, 600)
      expect(steady.usedShare).toBeGreaterThan(0.95)
      expect(steady.refusedShare).toBeLessThanOrEqual(0.01)
    })
  )

  it.effect("[EXE-6] it's cut to a fifth, then raised again: both are followed", () =>
    Effect.gen(function* () {
      const server = new BucketServer(600, 5, silent)
      const log: Array<Arrival> = []
      yield* keepBusy(yield* RateLimiter.make({}), server, quick, log)
      yield* passMinutes(5)
      server.requests.perMinute = 120
      yield* passMinutes(10)
      server.requests.perMinute = 600
      yield* passMinutes(10)
      const cut = useOf(log, 8 * minute, 15 * minute, 120)
      expect(cut.usedShare).toBeGreaterThan(0.9)
      expect(cut.refusedShare).toBeLessThanOrEqual(0.03)
      expect(useOf(log, 20 * minute, 25 * minute, 600).usedShare).toBeGreaterThan(0.9)
    }).pipe(Effect.scoped, Random.withSeed(1))
  )

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("[EXE-6] any bucket, any latency, any Retry-After: >= 90 %, <= 2 % refused (seed %i)", (seed) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const draw = drawsOf(seed + 100)
        const perMinute = Math.round(60 * 10 ** draw(0.5, 1.5))
        const retryAfter: RetryAfter = (["none", "ms", "seconds", "past"] as const)[Math.floor(draw(0, 4))] ?? "none"
        const fastest = 10 ** draw(1, 3)
        const client: Client = { workers: 64, latencyMs: [fastest, fastest * 2], wayMs: [1, 50] }
        const server = new BucketServer(perMinute, 10 ** draw(0, 1.8), { headers: "none", retryAfter })
        const { log } = yield* play({ server, client, minutes: 15, seed })
        const steady = useOf(log, 5 * minute, 15 * minute, perMinute)
        expect(steady.usedShare).toBeGreaterThan(0.9)
        expect(steady.refusedShare).toBeLessThanOrEqual(0.02)
      }).pipe(Effect.provide(TestClock.layer()))
    )
  )
})

describe("refusals that no pace prevents", () => {
  const everyThird = (retryAfter: RetryAfter): Server => {
    let calls = 0
    return {
      admit: (now) => {
        const isAdmitted = ++calls % 3 !== 0
        return { isAdmitted, signals: { requests: null, tokens: null, retryAt: isAdmitted || retryAfter === "none" ? null : now - 1 } }
      }
    }
  }

  it.effect.each(["none", "past"] as const)(
    "[EXE-6] [case 39] every third call is a 429 (Retry-After: %s): slower, but it goes on, evenly",
    (retryAfter) =>
      Effect.gen(function* () {
        const { log, limiter } = yield* play({ server: everyThird(retryAfter), minutes: 30 })
        for (let at = minute; at < 30 * minute; at += minute) {
          const { admitted, refused } = useOf(log, at, at + minute, 600)
          expect(admitted).toBeGreaterThan(30)
          // 64 workers of 30 ms would be told off 42,000 times a minute.
          expect(refused).toBeLessThan(1_000)
        }
        expect(limiter.snapshot().concurrency).toBeGreaterThanOrEqual(1)
      })
  )

  it.effect.each(["none", "past"] as const)(
    "[EXE-6] [case 21] all calls are 429s for an hour (Retry-After: %s): one try a minute or so, never a hammer",
    (retryAfter) =>
      Effect.gen(function* () {
        const refusing: Server = {
          admit: (now) => ({ isAdmitted: false, signals: { requests: null, tokens: null, retryAt: retryAfter === "past" ? now : null } })
        }
        const { log } = yield* play({ server: refusing, minutes: 60 })
        // The first round trip's 16, then about one in half of the backed-off bound of 60 s.
        expect(log.length).toBeLessThan(16 + 200)
        expect(log.filter(({ at }) => at > 10 * minute).length).toBeLessThan(150)
        expect(log.filter(({ at }) => at > 10 * minute).length).toBeGreaterThan(25)
      })
  )
})
