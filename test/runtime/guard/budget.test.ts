import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

import { Budget, type BudgetOptions, type Reservation } from "../../../runtime/guard/budget.ts"

/** A budget whose grants take 10 ms, and what it asked for and said. */
const open = Effect.fnUntraced(function* <E = never>(over: Partial<BudgetOptions<E>> = {}) {
  const grants: Array<number> = []
  const warnings: Array<number> = []
  let most = 0
  let inFlight = 0
  const budget = yield* Budget.make<E>({
    envelopeUsd: 100,
    spentUsd: 0,
    uncertainUsd: 0,
    grant: (usd) =>
      Effect.suspend(() => {
        grants.push(usd)
        most = Math.max(most, ++inFlight)
        return Effect.andThen(
          Effect.sleep("10 millis"),
          Effect.sync(() => void inFlight--)
        )
      }),
    onWarning: (usd) => Effect.sync(() => void warnings.push(usd)),
    ...over
  })
  return { budget, grants, warnings, mostGrants: () => most }
})

/** Reserves once time has passed for the grant in flight, and one more. */
const reserved = Effect.fnUntraced(function* <E>(budget: Budget<E>, usd: number) {
  const fiber = yield* Effect.forkChild(budget.reserve(usd))
  yield* TestClock.adjust("20 millis")
  return yield* Fiber.join(fiber)
})

describe("the budget's blocks", () => {
  it.effect("[CST-2] a call waits until its block is durable; while there is room in it, calls take at once and nothing is written", () =>
    Effect.gen(function* () {
      const { budget, grants } = yield* open()
      const first = yield* Effect.forkChild(budget.reserve(1))
      yield* TestClock.adjust("9 millis")
      expect(first.pollUnsafe()).toBeUndefined()
      expect(budget.snapshot()).toMatchObject({ grantedUsd: 0, reservedUsd: 0 })
      yield* TestClock.adjust("1 millis")
      const held = yield* Fiber.join(first)
      // What was asked for, and a five-hundredth of the envelope.
      expect(grants).toEqual([1.2])
      const second = yield* budget.reserve(0.05)
      expect(grants).toEqual([1.2])
      expect(budget.snapshot()).toMatchObject({ grantedUsd: 1.2, reservedUsd: 1.05, headroomUsd: 98.95, spentUsd: 0 })
      budget.settle(held, 0.5)
      budget.release(second)
      expect(budget.snapshot()).toMatchObject({ reservedUsd: 0, headroomUsd: 99.5, spentUsd: 0.5, drawnUsd: 0.5 })
    })
  )

  it.effect("[CST-2] all who wait share one grant, and only one is in flight", () =>
    Effect.gen(function* () {
      const { budget, grants, mostGrants } = yield* open()
      const fibers = yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.forkChild(budget.reserve(1)))
      yield* TestClock.adjust("30 millis")
      expect(fibers.filter((fiber) => fiber.pollUnsafe() === undefined)).toEqual([])
      expect(mostGrants()).toBe(1)
      expect(grants.length).toBeLessThanOrEqual(3)
      expect(budget.snapshot().reservedUsd).toBe(50)
    })
  )

  it.effect("[CST-2] a block is worth two seconds of the pace, and a burst within one tick of the clock is no pace", () =>
    Effect.gen(function* () {
      const { budget, grants } = yield* open({ envelopeUsd: 1_000 })
      const room = () => {
        const { grantedUsd, drawnUsd } = budget.snapshot()
        return grantedUsd - drawnUsd
      }
      // 0.1 US dollars every 20 ms are 10 in two seconds; the smallest block is 2.
      for (let call = 0; call < 200; call++) budget.settle(yield* reserved(budget, 0.2), 0.1)
      expect(room()).toBeGreaterThan(4)
      expect(room()).toBeLessThan(11)
      expect(grants.length).toBeLessThan(30)
      // At this pace it would be 2,000 in two seconds.
      budget.settle(yield* reserved(budget, 20), 20)
      budget.release(yield* reserved(budget, 1))
      expect(room()).toBeLessThan(25)
    })
  )

  it.effect("[CST-2] a grant that fails fails whoever waits, and everybody after", () =>
    Effect.gen(function* () {
      const { budget } = yield* open<"disk">({ grant: () => Effect.andThen(Effect.sleep("10 millis"), Effect.fail("disk" as const)) })
      const fibers = yield* Effect.forEach([1, 2, 3], (usd) => Effect.forkChild(Effect.flip(budget.reserve(usd))))
      yield* TestClock.adjust("10 millis")
      expect(yield* Effect.forEach(fibers, Fiber.join)).toEqual(["disk", "disk", "disk"])
      expect(yield* Effect.flip(budget.reserve(1))).toBe("disk")
      expect(yield* budget.reserve(0)).toMatchObject({ usd: 0 })
    })
  )
})

describe("a budget that runs out", () => {
  it.effect("[CST-2] lets a call wait as long as those in flight could free enough, and turns it away when nothing can", () =>
    Effect.gen(function* () {
      const { budget } = yield* open({ envelopeUsd: 10 })
      const held = yield* reserved(budget, 8)
      // More than all of it: no wait would help.
      expect(yield* Effect.flip(budget.reserve(11))).toMatchObject({ _tag: "BudgetSpent", neededUsd: 11, headroomUsd: 2 })
      const waiting = yield* Effect.forkChild(budget.reserve(3))
      yield* TestClock.adjust("1 hour")
      expect(waiting.pollUnsafe()).toBeUndefined()
      budget.settle(held, 6)
      yield* TestClock.adjust("10 millis")
      const next = yield* Fiber.join(waiting)
      budget.settle(next, 3)
      expect(yield* Effect.flip(budget.reserve(2))).toMatchObject({ _tag: "BudgetSpent", neededUsd: 2, headroomUsd: 1 })
      expect(budget.snapshot()).toMatchObject({ spentUsd: 9, headroomUsd: 1 })
      budget.settle(yield* reserved(budget, 1), 1)
    })
  )

  it.effect("[CST-2] counts what other sessions spent, may have spent, and what batches hold", () =>
    Effect.gen(function* () {
      const { budget } = yield* open({ envelopeUsd: 10, spentUsd: 4, uncertainUsd: 2 })
      budget.adoptBatch(3)
      expect(budget.snapshot()).toMatchObject({ spentUsd: 4, uncertainUsd: 2, reservedUsd: 3, headroomUsd: 1 })
      expect(yield* Effect.flip(budget.reserve(1.5))).toMatchObject({ _tag: "BudgetSpent" })
      expect(yield* reserved(budget, 1)).toMatchObject({ usd: 1 })
    })
  )

  it.effect("[CST-2] serves first come, first served: a small call doesn't overtake a large one", () =>
    Effect.gen(function* () {
      const { budget } = yield* open({ envelopeUsd: 10 })
      const held = yield* reserved(budget, 9)
      const served: Array<string> = []
      const join = (name: string, usd: number) =>
        Effect.forkChild(
          Effect.tap(budget.reserve(usd), () => Effect.sync(() => void served.push(name))),
          { startImmediately: true }
        )
      yield* join("large", 5)
      yield* join("small", 1)
      yield* TestClock.adjust("1 minute")
      expect(served).toEqual([])
      budget.settle(held, 2)
      yield* TestClock.adjust("1 minute")
      expect(served).toEqual(["large", "small"])
    })
  )

  it.effect("[CST-2] [CRD-3] whoever is interrupted while waiting leaves the line and holds nothing", () =>
    Effect.gen(function* () {
      const { budget } = yield* open({ envelopeUsd: 10 })
      const held = yield* reserved(budget, 9)
      const first = yield* Effect.forkChild(budget.reserve(8))
      const second = yield* Effect.forkChild(budget.reserve(7))
      yield* TestClock.adjust("10 millis")
      yield* Fiber.interrupt(first)
      budget.settle(held, 1)
      yield* TestClock.adjust("10 millis")
      budget.release(yield* Fiber.join(second))
      expect(budget.snapshot()).toMatchObject({ reservedUsd: 0, spentUsd: 1, headroomUsd: 9 })
    })
  )

  it.effect("[CST-2] a call that costs nothing passes at once, also when nothing is left and others wait", () =>
    Effect.gen(function* () {
      const { budget, grants } = yield* open({ envelopeUsd: 0 })
      expect(yield* budget.reserve(0)).toMatchObject({ usd: 0 })
      expect(yield* Effect.flip(budget.reserve(0.01))).toMatchObject({ _tag: "BudgetSpent", headroomUsd: 0 })
      expect(grants).toEqual([])
    })
  )

  it.effect("[CST-2] a call that nobody knows the end of counts at its bound", () =>
    Effect.gen(function* () {
      const { budget } = yield* open({ envelopeUsd: 10 })
      const held = yield* reserved(budget, 4)
      budget.abandon(held)
      // It's over: nothing that is said of it later counts twice.
      budget.settle(held, 1)
      budget.release(held)
      expect(budget.snapshot()).toMatchObject({ spentUsd: 4, drawnUsd: 4, reservedUsd: 0, headroomUsd: 6 })
    })
  )
})

describe("batches and the budget", () => {
  it.effect("[CST-2] take what no call holds, free it line by line, and give the rest back at the end", () =>
    Effect.gen(function* () {
      const { budget } = yield* open({ envelopeUsd: 10 })
      const call = yield* reserved(budget, 4)
      expect(budget.tryReserveBatch(6.01)).toBeNull()
      const lines = [budget.tryReserveBatch(2), budget.tryReserveBatch(4)].filter((line): line is Reservation => line !== null)
      expect(budget.snapshot()).toMatchObject({ reservedUsd: 10, headroomUsd: 0 })
      for (const line of lines) budget.release(line)
      const batch = budget.adoptBatch(6)
      budget.settleBatch(batch, 2, 0.5)
      expect(budget.snapshot()).toMatchObject({ spentUsd: 0.5, reservedUsd: 8, headroomUsd: 1.5 })
      budget.release(batch)
      budget.settle(call, 4)
      expect(budget.snapshot()).toMatchObject({ spentUsd: 4.5, reservedUsd: 0, headroomUsd: 5.5 })
    })
  )

  it.effect("[CST-2] also take what was granted to calls and isn't drawn: calls then find it gone", () =>
    Effect.gen(function* () {
      const { budget } = yield* open({ envelopeUsd: 10 })
      budget.release(yield* reserved(budget, 9))
      expect(budget.snapshot().grantedUsd).toBeGreaterThanOrEqual(9)
      const batch = budget.tryReserveBatch(10)
      expect(batch).not.toBeNull()
      expect(yield* Effect.flip(budget.reserve(0.5))).toMatchObject({ _tag: "BudgetSpent" })
      if (batch !== null) budget.release(batch)
      expect(yield* budget.reserve(0.5)).toMatchObject({ usd: 0.5 })
    })
  )
})

describe("what a budget says", () => {
  it.effect("[CST-2] warns once, when 80 % are spent or may be", () =>
    Effect.gen(function* () {
      const { budget, warnings } = yield* open({ envelopeUsd: 10, spentUsd: 3, uncertainUsd: 1 })
      budget.settle(yield* reserved(budget, 4), 3.9)
      yield* Effect.yieldNow
      expect(warnings).toEqual([])
      budget.settle(yield* reserved(budget, 1), 0.2)
      budget.settle(yield* reserved(budget, 1), 0.2)
      yield* Effect.yieldNow
      expect(warnings).toEqual([7.1])
    })
  )

  it.effect("[CST-2] warns at its start where the session that got there died before it could", () =>
    Effect.gen(function* () {
      const { warnings } = yield* open({ envelopeUsd: 10, spentUsd: 5, uncertainUsd: 3 })
      yield* Effect.yieldNow
      expect(warnings).toEqual([5])
    })
  )

  it.effect("[CST-2] counts what is charged above a bound, and says so once", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const { budget } = yield* Effect.gen(function* () {
        const opened = yield* open({ envelopeUsd: 10 })
        for (const costUsd of [2.5, 3]) opened.budget.settle(yield* reserved(opened.budget, 2), costUsd)
        yield* Effect.yieldNow
        return opened
      }).pipe(Effect.provide(Logger.layer([logger])))
      expect(budget.snapshot()).toMatchObject({ spentUsd: 5.5, headroomUsd: 4.5 })
      expect(lines).toEqual([expect.stringContaining("was charged 2.5 US dollars and its bound was 2")])
    })
  )
})
