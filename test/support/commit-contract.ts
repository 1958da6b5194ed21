/** What every ledger promises of group commit. Time is the test's: a commit that nobody asks for waits until the clock is moved. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import { begin, beginSealed, eventually, pendingItems, settleAll, settlementOf } from "./ledger-run.ts"
import type { LedgerScenes } from "./ledger-scenes.ts"

export const commitContract = ({ name, within, scene, session }: LedgerScenes): void => {
  describe(`group commit in ${name}`, () => {
    it.effect(
      "makes a settlement durable within 20 ms, though nobody asks for it",
      within(function* (ledger) {
        yield* beginSealed(ledger, 2)
        const [item] = yield* pendingItems(ledger)
        yield* ledger.settle(settlementOf(item!))
        yield* TestClock.adjust("19 millis")
        expect(yield* ledger.tally).toMatchObject({ committed: 0, inFlight: 1 })
        yield* TestClock.adjust("1 millis")
        yield* eventually(Effect.map(ledger.tally, ({ inFlight }) => inFlight === 0))
        expect(yield* ledger.tally).toMatchObject({ committed: 1, spentUsd: 0.5, dispositions: { delivered: 1 } })
      })
    )

    it.effect(
      "[CHK-2] lets intake wait at 1,000 uncommitted items, and loses none",
      within(function* (ledger) {
        yield* beginSealed(ledger, 4_000, 1)
        let most = 0
        for (let from = 0; from < 4_000; from += 2_000) {
          const items = yield* ledger.pending(from, from + 1_999)
          yield* Effect.forEach(
            items,
            (item) =>
              Effect.andThen(
                ledger.settle(settlementOf(item)),
                Effect.tap(ledger.tally, ({ inFlight }) => Effect.sync(() => (most = Math.max(most, inFlight))))
              ),
            { concurrency: 64, discard: true }
          )
        }
        yield* ledger.flush
        expect(most).toBeGreaterThanOrEqual(500)
        expect(most).toBeLessThanOrEqual(1_000)
        expect(yield* ledger.tally).toMatchObject({ committed: 4_000, inFlight: 0 })
        expect((yield* ledger.completeness).holds).toBe(true)
      })
    )

    it.effect(
      "[case 63] lets intake wait at 8 MB of uncommitted answers",
      within(function* (ledger) {
        yield* beginSealed(ledger, 40, 1)
        const text = "x".repeat(1_000_000)
        let most = 0
        for (const item of yield* pendingItems(ledger)) {
          yield* ledger.settle(settlementOf(item, { steps: ["gist"], text }))
          most = Math.max(most, (yield* ledger.tally).inFlight)
        }
        yield* ledger.flush
        expect(most).toBeLessThanOrEqual(9)
        expect((yield* ledger.tally).inFlight).toBe(0)
      })
    )

    it.effect(
      "flush waits for what was settled before it, not for what others go on settling",
      within(function* (ledger) {
        yield* beginSealed(ledger, 2)
        const [first, second] = yield* pendingItems(ledger)
        let settled = 0
        const goOn = Effect.andThen(
          Effect.suspend(() => ledger.settle(settlementOf(second!, { steps: [], text: String(settled++) }))),
          Effect.yieldNow
        )
        const busy = yield* Effect.forkChild(Effect.forever(goOn))
        yield* ledger.settle(settlementOf(first!))
        yield* ledger.flush
        expect((yield* ledger.tally).committed).toBe(1)
        const before = settled
        yield* eventually(Effect.sync(() => settled > before + 1_000))
        yield* Fiber.interrupt(busy)
      })
    )

    it.effect(
      "[CHK-2] a scope that closes commits what is left, also when a commit is in flight",
      scene(function* (store) {
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 700, 1)
            for (const item of yield* pendingItems(ledger)) yield* ledger.settle(settlementOf(item))
          })
        )
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            expect(yield* pendingItems(ledger)).toEqual([])
            expect((yield* ledger.tally).committed).toBe(700)
          })
        )
      })
    )

    it.effect(
      "[CRD-3] a fiber that is interrupted while it waits for room or for a flush leaves the others going",
      within(function* (ledger) {
        yield* beginSealed(ledger, 1_500, 1)
        const items = yield* pendingItems(ledger)
        const settling = yield* Effect.forEach(items.slice(0, 1_400), (item) => Effect.forkChild(ledger.settle(settlementOf(item))))
        const flushing = yield* Effect.forkChild(ledger.flush)
        yield* Effect.yieldNow
        yield* Fiber.interrupt(flushing)
        yield* Fiber.interruptAll(settling.slice(1_300))
        yield* settleAll(ledger, items.slice(1_400))
        const { committed, inFlight } = yield* ledger.tally
        expect(inFlight).toBe(0)
        expect(committed).toBeGreaterThanOrEqual(1_400)
        expect((yield* pendingItems(ledger)).length).toBe(1_500 - committed)
      })
    )
  })
}
