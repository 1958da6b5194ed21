/** The breaker: when it opens, what it lets through, and how it comes back. */
import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect } from "vitest"

import { Breaker, type BreakerState, type CallHealth, type Turn } from "../../../runtime/guard/breaker.ts"
import { RateLimiter } from "../../../runtime/guard/rate.ts"

const play = (breaker: Breaker, outcomes: ReadonlyArray<CallHealth>) =>
  Effect.forEach(outcomes, (health) => Effect.map(breaker.pass, (turn) => breaker.record(turn, health)), { discard: true })

const times = (count: number, health: CallHealth): ReadonlyArray<CallHealth> => Array.from({ length: count }, () => health)

const open = Effect.fnUntraced(function* () {
  const breaker = yield* Breaker.make({})
  yield* play(breaker, times(10, "outage"))
  expect(breaker.state).toBe("open")
  return breaker
})

/** Waits as many at once; the turns in the order in which they are let through. */
const queueUp = Effect.fnUntraced(function* (breaker: Breaker, count: number) {
  const passed: Array<{ readonly turn: Turn; readonly at: number }> = []
  const one = Effect.flatMap(breaker.pass, (turn) => Effect.map(Clock.currentTimeMillis, (at) => void passed.push({ turn, at })))
  const fibers = yield* Effect.forEach(Array.from({ length: count }), () => Effect.forkScoped(one))
  yield* TestClock.adjust(0)
  return { passed, fibers }
})

describe("opening", () => {
  it.effect("[EXE-7] ten outages in a row open it; nine, a success and nine don't, and neither does any number of bad requests", () =>
    Effect.gen(function* () {
      const breaker = yield* Breaker.make({})
      yield* play(breaker, [...times(9, "outage"), "ok", ...times(8, "outage")])
      // So that the second rule has no say in it.
      yield* TestClock.adjust("31 seconds")
      yield* play(breaker, [...times(1, "outage"), "ok", ...times(200, "ok"), ...times(200, "other"), ...times(200, "interrupted")])
      expect(breaker.isOpen).toBe(false)
      yield* play(breaker, times(9, "outage"))
      expect(breaker.isOpen).toBe(false)
      yield* play(breaker, ["outage"])
      expect(breaker.isOpen).toBe(true)
    })
  )

  it.effect("[EXE-7] a rate limit or a call given up between them doesn't end a row of outages, and isn't one", () =>
    Effect.gen(function* () {
      const breaker = yield* Breaker.make({})
      for (let outages = 0; outages < 9; outages++) yield* play(breaker, ["other", "outage", "interrupted"])
      expect(breaker.isOpen).toBe(false)
      yield* play(breaker, ["outage"])
      expect(breaker.isOpen).toBe(true)
    })
  )

  it.effect("[EXE-7] half of at least twenty calls within 30 s open it; a third doesn't, nor half of them when it's long ago", () =>
    Effect.gen(function* () {
      const breaker = yield* Breaker.make({})
      for (let calls = 0; calls < 100; calls++) yield* play(breaker, ["ok", "ok", "outage"])
      expect(breaker.isOpen).toBe(false)
      yield* TestClock.adjust("31 seconds")
      for (let calls = 0; calls < 9; calls++) yield* play(breaker, ["ok", "outage"])
      yield* TestClock.adjust("31 seconds")
      for (let calls = 0; calls < 9; calls++) yield* play(breaker, ["ok", "outage"])
      expect(breaker.isOpen).toBe(false)
      yield* play(breaker, ["ok", "outage"])
      expect(breaker.isOpen).toBe(true)
    })
  )

  it.effect("[EXE-7] an outage that is over isn't counted again", () =>
    Effect.gen(function* () {
      const breaker = yield* open()
      const probe = yield* Effect.forkScoped(breaker.pass)
      yield* TestClock.adjust("5 seconds")
      breaker.record(yield* Fiber.join(probe), "ok")
      yield* play(breaker, [...times(10, "ok"), "outage"])
      expect(breaker.isOpen).toBe(false)
    })
  )

  it.effect(
    "[EXE-7] what was sent before it opened says nothing once it's open, and its failure costs no retry, even when all is over",
    () =>
      Effect.gen(function* () {
        const breaker = yield* Breaker.make({})
        const [early, late, last] = yield* Effect.all([breaker.pass, breaker.pass, breaker.pass])
        expect(breaker.hasOpenedSince(early)).toBe(false)
        yield* play(breaker, times(10, "outage"))
        expect(breaker.hasOpenedSince(early)).toBe(true)
        breaker.record(early, "ok")
        expect(breaker.state).toBe("open")
        const { passed } = yield* queueUp(breaker, 1)
        yield* TestClock.adjust("5 seconds")
        breaker.record(late, "outage")
        expect(breaker.state).toBe("probing")
        if (passed[0] !== undefined) breaker.record(passed[0].turn, "ok")
        expect(breaker.state).toBe("closed")
        breaker.record(last, "outage")
        yield* play(breaker, times(9, "outage"))
        expect(breaker.isOpen).toBe(false)
        expect(breaker.hasOpenedSince(last)).toBe(true)
        expect(breaker.hasOpenedSince(yield* breaker.pass)).toBe(false)
      })
  )
})

describe("probing", () => {
  it.effect("[EXE-7] one call goes after 5 s, alone; when it succeeds, all go", () =>
    Effect.gen(function* () {
      const breaker = yield* open()
      const { passed } = yield* queueUp(breaker, 20)
      yield* TestClock.adjust(4_999)
      expect(passed).toHaveLength(0)
      yield* TestClock.adjust(1)
      expect(passed).toMatchObject([{ at: 5_000, turn: { isProbe: true } }])
      yield* TestClock.adjust("50 seconds")
      expect(passed).toHaveLength(1)
      const late = yield* queueUp(breaker, 1)
      expect(late.passed).toHaveLength(0)
      if (passed[0] !== undefined) breaker.record(passed[0].turn, "ok")
      yield* TestClock.adjust(0)
      expect(passed).toHaveLength(20)
      expect(late.passed).toHaveLength(1)
      expect(passed.slice(1).every(({ turn }) => !turn.isProbe)).toBe(true)
    })
  )

  it.effect("[EXE-7] a probe that meets a rate limit or a refused request has found a provider that answers", () =>
    Effect.gen(function* () {
      for (const health of ["ok", "other"] as const) {
        const breaker = yield* open()
        const probe = yield* Effect.forkScoped(breaker.pass)
        yield* TestClock.adjust("5 seconds")
        breaker.record(yield* Fiber.join(probe), health)
        expect(breaker.state).toBe("closed")
      }
    })
  )

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "[EXE-7] pauses of 5 s, then 5 to 10, 10 to 20, 20 to 40 and 30 to 60 s, never more (seed %i)",
    (seed) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const breaker = yield* open()
          const pauses: Array<number> = []
          for (let probes = 0; probes < 30; probes++) {
            const from = yield* Clock.currentTimeMillis
            const { passed } = yield* queueUp(breaker, 1)
            yield* TestClock.adjust("60 seconds")
            pauses.push((passed[0]?.at ?? Number.NaN) - from)
            if (passed[0] !== undefined) {
              // As if the probe had failed as soon as it was sent.
              yield* TestClock.setTime(passed[0].at)
              breaker.record(passed[0].turn, "outage")
            }
          }
          expect(pauses[0]).toBe(5_000)
          for (const [index, pause] of pauses.entries()) {
            const bound = Math.min(60_000, 5_000 * 2 ** index)
            expect(pause).toBeLessThanOrEqual(bound + 1)
            expect(pause).toBeGreaterThanOrEqual(bound / 2)
          }
          expect(new Set(pauses.slice(4)).size).toBeGreaterThan(10)
        }).pipe(Effect.scoped, Random.withSeed(seed), Effect.provide(TestClock.layer()))
      )
  )

  it.effect("[EXE-7] an interrupted probe gives its turn to the next in line, an interrupted waiter is passed over", () =>
    Effect.gen(function* () {
      const breaker = yield* open()
      const sent: Array<string> = []
      const probe = (name: string) =>
        Effect.acquireUseRelease(
          breaker.pass,
          () =>
            Effect.andThen(
              Effect.sync(() => sent.push(name)),
              Effect.never
            ),
          (turn, exit) => Effect.sync(() => breaker.record(turn, Exit.hasInterrupts(exit) ? "interrupted" : "ok"))
        )
      const [first, second] = yield* Effect.all([Effect.forkScoped(probe("first")), Effect.forkScoped(probe("second"))])
      const third = yield* Effect.forkScoped(probe("third"))
      yield* TestClock.adjust("5 seconds")
      expect(sent).toEqual(["first"])
      yield* Fiber.interrupt(second)
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust(1)
      expect(sent).toEqual(["first", "third"])
      yield* Fiber.interrupt(third)
      expect(breaker.state).toBe("open")
      yield* Effect.forkScoped(probe("fourth"))
      yield* TestClock.adjust(0)
      expect(sent).toEqual(["first", "third", "fourth"])
    })
  )

  // Red when this was landed: see the closing note of the issue.
  it.effect("[EXE-7] a fiber that is interrupted between its turn and its next step gives the turn back, wherever it is", () =>
    Effect.gen(function* () {
      for (let late = 0; late < 30; late++) {
        const breaker = yield* open()
        yield* TestClock.adjust("5 seconds")
        const use = Effect.acquireUseRelease(
          breaker.pass,
          () => Effect.never,
          (turn) => Effect.sync(() => breaker.record(turn, "interrupted"))
        )
        // It yields at every other step, so that its turn comes before it can take it.
        const probe = yield* Effect.forkChild(Effect.provideService(use, References.MaxOpsBeforeYield, 3))
        for (let steps = 0; steps < 1_000 && breaker.state === "open"; steps++) yield* Effect.yieldNow
        for (let steps = 0; steps < late; steps++) yield* Effect.yieldNow
        expect(breaker.state).toBe("probing")
        yield* Fiber.interrupt(probe)
        expect(breaker.state).toBe("open")
      }
    })
  )

  it.effect(
    "[EXE-7] a probe that nobody hears of for a minute doesn't stop the run for ever; its good news still counts, its bad news not",
    () =>
      Effect.gen(function* () {
        const breaker = yield* open()
        const { passed } = yield* queueUp(breaker, 3)
        yield* TestClock.adjust(5_000 + 59_999)
        expect(passed).toHaveLength(1)
        yield* TestClock.adjust(1)
        expect(passed).toHaveLength(2)
        const [lost] = passed
        if (lost === undefined) return yield* Effect.die("no probe was sent")
        breaker.record(lost.turn, "outage")
        expect(breaker.state).toBe("probing")
        breaker.record(lost.turn, "ok")
        expect(breaker.state).toBe("closed")
        yield* TestClock.adjust(0)
        expect(passed).toHaveLength(3)
      })
  )

  it.effect("[EXE-7] a provider that comes back for a moment only is probed less and less often; a minute of calm is forgiven", () =>
    Effect.gen(function* () {
      const breaker = yield* open()
      const pause = Effect.gen(function* () {
        const from = yield* Clock.currentTimeMillis
        const probe = yield* Effect.forkScoped(
          Effect.flatMap(breaker.pass, (turn) => Effect.map(Clock.currentTimeMillis, (at) => ({ turn, at })))
        )
        yield* TestClock.adjust("60 seconds")
        const { turn, at } = yield* Fiber.join(probe)
        yield* TestClock.setTime(at)
        return { turn, ms: at - from }
      })
      for (let probes = 0; probes < 5; probes++) breaker.record((yield* pause).turn, "outage")
      breaker.record((yield* pause).turn, "ok")
      yield* play(breaker, times(10, "outage"))
      const again = yield* pause
      expect(again.ms).toBeGreaterThanOrEqual(30_000)
      breaker.record(again.turn, "ok")
      yield* TestClock.adjust("60 seconds")
      yield* play(breaker, times(10, "outage"))
      expect((yield* pause).ms).toBe(5_000)
    })
  )
})

describe("notices", () => {
  it.effect("[EXE-7] each change is told once, in order, with the time of the first failure", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000)
      const told: Array<readonly [BreakerState, number]> = []
      const breaker = yield* Breaker.make({ onChange: (state, since) => Effect.sync(() => void told.push([state, since])) })
      yield* play(breaker, ["ok", "outage"])
      yield* TestClock.adjust("2 seconds")
      yield* play(breaker, times(9, "outage"))
      yield* TestClock.adjust(0)
      expect(told).toEqual([["open", 1_000_000]])
      expect(breaker.downSince).toBe(1_000_000)
      const { passed } = yield* queueUp(breaker, 1)
      yield* TestClock.adjust("5 seconds")
      if (passed[0] !== undefined) breaker.record(passed[0].turn, "ok")
      yield* TestClock.adjust(0)
      expect(told).toEqual([
        ["open", 1_000_000],
        ["probing", 1_000_000],
        ["closed", 1_000_000]
      ])
      expect(breaker.downSince).toBeNull()
    })
  )

  it.effect("[EXE-7] a probe that failed while the opening was being told is not told as another opening", () =>
    Effect.gen(function* () {
      const told: Array<BreakerState> = []
      const breaker = yield* Breaker.make({
        onChange: (state) =>
          Effect.delay(
            Effect.sync(() => void told.push(state)),
            "8 seconds"
          )
      })
      yield* play(breaker, times(10, "outage"))
      const { passed } = yield* queueUp(breaker, 1)
      yield* TestClock.adjust("5 seconds")
      if (passed[0] !== undefined) breaker.record(passed[0].turn, "outage")
      yield* TestClock.adjust("1 hour")
      expect(told).toEqual(["open"])
    })
  )

  it.effect("[EXE-7] who is slow to tell holds nothing up, and learns the last state", () =>
    Effect.gen(function* () {
      const told: Array<BreakerState> = []
      const breaker = yield* Breaker.make({
        onChange: (state) =>
          Effect.delay(
            Effect.sync(() => void told.push(state)),
            "10 minutes"
          )
      })
      yield* play(breaker, times(10, "outage"))
      const { passed } = yield* queueUp(breaker, 1)
      yield* TestClock.adjust("5 seconds")
      if (passed[0] !== undefined) breaker.record(passed[0].turn, "ok")
      expect(breaker.state).toBe("closed")
      yield* TestClock.adjust("1 hour")
      expect(told).toEqual(["open", "closed"])
    })
  )
})

describe("an outage", () => {
  const outage = { fromMs: 10_000, untilMs: 190_000 }

  /** 64 workers through 800 items of 2 s, a provider that answers 529 for three minutes, and what arrived there. */
  const night = Effect.fnUntraced(function* (concurrencyMax: number) {
    const breaker = yield* Breaker.make({})
    const limiter = yield* RateLimiter.make({ concurrencyMax })
    const arrived: Array<{ readonly at: number; readonly isDown: boolean }> = []
    let opened = 0
    let spared = 0
    const send = Effect.gen(function* () {
      const at = yield* Clock.currentTimeMillis
      const isDown = at >= outage.fromMs && at < outage.untilMs
      arrived.push({ at, isDown })
      yield* Effect.sleep(isDown ? 50 : 2_000)
      return isDown ? "outage" : "ok"
    })
    const guarded = (turn: Turn) =>
      Effect.acquireUseRelease(
        limiter.acquire(100),
        () => (breaker.isCurrent(turn) ? send : Effect.succeed("unsent" as const)),
        (permit, exit) =>
          Effect.sync(() => {
            const end = Exit.isSuccess(exit) ? exit.value : "interrupted"
            if (end === "unsent") return limiter.cancel(permit)
            limiter.release(permit, {
              kind: end === "ok" ? "ok" : end === "outage" ? "overloaded" : "failed",
              signals: null,
              tokensUsed: null
            })
            const wasOpen = breaker.isOpen
            breaker.record(turn, end)
            if (!wasOpen && breaker.isOpen) opened++
            if (end === "outage" && breaker.hasOpenedSince(turn)) spared++
          })
      )
    let done = 0
    // Spacing, not a count of tries, is what ends this loop.
    const item = Effect.gen(function* () {
      while ((yield* Effect.flatMap(breaker.pass, guarded)) !== "ok");
      done++
    })
    const all = yield* Effect.forkScoped(Effect.forEach(Array.from({ length: 800 }), () => item, { concurrency: 64, discard: true }))
    yield* TestClock.adjust(outage.untilMs)
    const doneInOutage = done
    yield* TestClock.adjust("65 seconds")
    return { breaker, limiter, arrived, opened, spared, all, done, doneInOutage }
  })

  it.each([1, 2, 3, 4, 5])(
    "[EXE-7] [case 45] 529 for three minutes: opens, sends at most 10 + concurrency + 8 calls, is back within 65 s (seed %i)",
    (seed) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const { breaker, limiter, arrived, opened, spared, doneInOutage } = yield* night(16)
          const inOutage = arrived.filter(({ isDown }) => isDown)
          expect(opened).toBe(1)
          expect(breaker.state).toBe("closed")
          // Ten to open it, at most as many again in flight, and probes at 5, 10, 20, 40, 70, 100, 130 and 160 s at the earliest.
          expect(inOutage.length).toBeLessThanOrEqual(10 + 16 + 8)
          expect(inOutage.length).toBeGreaterThan(10)
          expect(doneInOutage).toBeLessThan(800)
          expect(spared).toBe(inOutage.length - 9)
          const firstAfter = arrived.find(({ at }) => at >= outage.untilMs)
          expect(firstAfter?.at).toBeLessThan(outage.untilMs + 65_000)
          yield* TestClock.adjust("10 minutes")
          expect(limiter.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
          expect(arrived.filter(({ isDown }) => !isDown)).toHaveLength(800)
        }).pipe(Effect.scoped, Random.withSeed(seed), Effect.provide(TestClock.layer()))
      )
  )

  it.effect("[EXE-7] [case 45] control: without it two workers send thousands", () =>
    Effect.gen(function* () {
      let sent = 0
      const worker = Effect.gen(function* () {
        while ((yield* Clock.currentTimeMillis) < 180_000) {
          sent++
          yield* Effect.sleep(50)
        }
      })
      yield* Effect.forEach([1, 2], () => Effect.forkScoped(worker))
      yield* TestClock.adjust("180 seconds")
      expect(sent).toBeGreaterThan(7_000)
    })
  )
})
