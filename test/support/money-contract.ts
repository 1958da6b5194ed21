/** What every ledger promises of money, gates and alerts. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

import type { LedgerShape, PendingItem } from "../../runtime/store/ledger.ts"
import { begin, beginSealed, pendingItems, settlementOf, twoEnds } from "./ledger-run.ts"
import type { LedgerScenes } from "./ledger-scenes.ts"
import type { LedgerStore } from "./ledger-store.ts"

/** Makes one paid call of an item durable. */
const pay = Effect.fnUntraced(function* (ledger: LedgerShape, item: PendingItem, costUsd: number, tier: "realtime" | "batch" | "reused") {
  const settlement = settlementOf(item, { steps: ["gist"] })
  yield* ledger.settle({ ...settlement, attempts: settlement.attempts.map((call) => ({ ...call, costUsd, tier })) })
  yield* ledger.flush
})

/** A process that is killed at the end of `work`. */
const killedAfter = (store: LedgerStore, work: (ledger: LedgerShape) => Generator<Effect.Effect<unknown, unknown>, void, never>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* store.open(twoEnds)
      yield* Effect.orDie(Effect.gen(() => work(ledger)))
      yield* store.crash
    })
  )

export const moneyContract = ({ name, scene, session, within }: LedgerScenes): void => {
  describe(`money in ${name}`, () => {
    it.effect(
      "[CST-2] starts with the budget, and counts what attempts of all tiers cost",
      within(function* (ledger) {
        yield* beginSealed(ledger, 4)
        expect(yield* ledger.money).toEqual({ envelopeUsd: 1, spentUsd: 0, uncertainUsd: 0, batchUsd: 0 })
        const [first, second, third] = yield* pendingItems(ledger)
        yield* pay(ledger, first!, 0.25, "realtime")
        yield* pay(ledger, second!, 0.125, "batch")
        yield* pay(ledger, third!, 0, "reused")
        expect(yield* ledger.money).toEqual({ envelopeUsd: 1, spentUsd: 0.375, uncertainUsd: 0, batchUsd: 0 })
      })
    )

    it.effect(
      "[CST-2] a kill between a grant and its attempts leaves the difference uncertain, for good",
      scene(function* (store) {
        yield* killedAfter(store, function* (ledger) {
          yield* beginSealed(ledger, 4)
          yield* ledger.grant(0.25)
          yield* ledger.grant(0.5)
          const [first, second, third] = yield* pendingItems(ledger)
          yield* pay(ledger, first!, 0.125, "realtime")
          // Of another purse.
          yield* pay(ledger, second!, 0.25, "batch")
          // Paid for, and not durable in time.
          yield* ledger.settle(settlementOf(third!, { steps: ["gist"] }))
        })
        yield* killedAfter(store, function* (ledger) {
          yield* begin(ledger)
          expect(yield* ledger.money).toEqual({ envelopeUsd: 1, spentUsd: 0.375, uncertainUsd: 0.375, batchUsd: 0 })
          yield* ledger.grant(0.0625)
          // A session's own grant is no uncertainty of its own.
          expect((yield* ledger.money).uncertainUsd).toBe(0.375)
        })
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            expect(yield* ledger.money).toMatchObject({ spentUsd: 0.375, uncertainUsd: 0.4375 })
          })
        )
      })
    )

    it.effect(
      "[CST-2] a session that ends by itself leaves uncertain what it drew and no attempt tells of, and no more",
      scene(function* (store) {
        const ended = (drawnUsd: number | null, paidUsd: number) =>
          session(store, (ledger) =>
            Effect.gen(function* () {
              yield* beginSealed(ledger, 8)
              yield* ledger.grant(0.5)
              const [item] = yield* pendingItems(ledger)
              const settlement = settlementOf(item!)
              yield* ledger.settle({
                ...settlement,
                attempts: settlement.attempts.slice(0, 1).map((call) => ({ ...call, costUsd: paidUsd }))
              })
              yield* ledger.flush
              yield* ledger.close("interrupted", null, drawnUsd)
            })
          )
        const uncertain = session(store, (ledger) =>
          Effect.andThen(
            begin(ledger),
            Effect.map(ledger.money, ({ uncertainUsd }) => uncertainUsd)
          )
        )
        yield* ended(0.25, 0.25)
        expect(yield* uncertain).toBe(0)
        // An interrupted call held 0.125.
        yield* ended(0.375, 0.25)
        expect(yield* uncertain).toBe(0.125)
        // Who can't say what was drawn may have drawn all.
        yield* ended(null, 0.25)
        expect(yield* uncertain).toBe(0.375)
        // Sums of doubles: a tenth of a cent ten times, in another order.
        yield* ended(0.1 + 0.2, 0.3)
        expect(yield* uncertain).toBe(0.375)
      })
    )

    it.effect(
      "[CST-2] holds back what provider batches may cost until they are settled or dropped",
      within(function* (ledger) {
        yield* beginSealed(ledger, 4)
        const intend = (batch: number, reservedUsd: number) =>
          ledger.batches.intend(
            {
              batch,
              engine: "openai",
              account: "a",
              group: "g",
              model: "m",
              requests: 1,
              bytes: 1,
              reservedUsd,
              providerBatch: null,
              files: [],
              intendedAt: new Date(0)
            },
            [{ seq: batch, step: "gist", attempt: 1 }]
          )
        const held = Effect.map(ledger.money, ({ batchUsd }) => batchUsd)
        yield* intend(1, 0.25)
        yield* intend(2, 0.5)
        expect(yield* held).toBe(0.75)
        for (const status of ["live", "ended", "ingested"] as const) {
          yield* ledger.batches.update(1, { status })
          expect(yield* held).toBe(0.75)
        }
        yield* ledger.batches.settle(1, null)
        expect(yield* held).toBe(0.5)
        yield* ledger.batches.update(2, { status: "dropped" })
        expect(yield* held).toBe(0)
      })
    )
  })

  describe(`gates in ${name}`, () => {
    it.effect(
      "[CST-2] stay open through kills and further sessions; what is approved there adds to the budget",
      scene(function* (store) {
        let opened = ""
        yield* killedAfter(store, function* (ledger) {
          yield* beginSealed(ledger, 2)
          const gate = yield* ledger.openGate("budget", { neededUsd: 2 })
          expect(gate).toMatchObject({ gate: "r1.1", kind: "budget", decision: null, addUsd: null, openedAt: new Date(0) })
          opened = gate.gate
        })
        yield* TestClock.adjust("1 hour")
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            // The same wait, with today's figures.
            const again = yield* ledger.openGate("budget", { neededUsd: 3 })
            expect(again).toMatchObject({ gate: opened, openedAt: new Date(0), detail: `{"neededUsd":3}` })
            expect(yield* ledger.gates).toEqual([again])
            expect((yield* ledger.money).envelopeUsd).toBe(1)
            yield* ledger.close("waiting", null)
          })
        )
        yield* store.decide({ gate: opened, decision: "approved", addUsd: 0.5 })
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            expect((yield* ledger.money).envelopeUsd).toBe(1.5)
            const next = yield* ledger.openGate("budget", { neededUsd: 4 })
            expect(next).toMatchObject({ gate: "r1.2", decision: null, openedAt: new Date(3_600_000) })
            expect((yield* ledger.gates).map(({ gate, decision, addUsd }) => [gate, decision, addUsd])).toEqual([
              ["r1.1", "approved", 0.5],
              ["r1.2", null, null]
            ])
            yield* ledger.close("waiting", null)
          })
        )
        yield* store.decide({ gate: "r1.2", decision: "rejected", addUsd: null })
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            expect((yield* ledger.money).envelopeUsd).toBe(1.5)
          })
        )
      })
    )

    it.effect(
      "[CST-2] an alert is news once in a run's life",
      scene(function* (store) {
        yield* killedAfter(store, function* (ledger) {
          yield* beginSealed(ledger, 2)
          expect(yield* ledger.raiseAlert("budget-80", { spentUsd: 0.8 })).toBe(true)
          expect(yield* ledger.raiseAlert("budget-80", { spentUsd: 0.9 })).toBe(false)
        })
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            expect(yield* ledger.raiseAlert("budget-80", { spentUsd: 0.9 })).toBe(false)
            expect(yield* ledger.raiseAlert("sla-70", {})).toBe(true)
          })
        )
      })
    )

    it.effect(
      "[SLA-2] alerts keep the words they were first told in, and events their order, across a kill",
      scene(function* (store) {
        const words = { severity: "critical", text: "Run r1 is late.", consumersText: "Late by an hour.", opensIncident: true } as const
        yield* killedAfter(store, function* (ledger) {
          yield* beginSealed(ledger, 2)
          yield* ledger.raiseAlert("sla-breach", { late: 1 }, words)
          yield* ledger.noteEvent("capacity", { workers: 2 })
          yield* ledger.raiseAlert("sla-breach", { late: 2 }, { ...words, text: "again" })
        })
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            yield* ledger.raiseAlert("logged-only", {})
            yield* ledger.noteEvent("capacity", { workers: 4 })
            expect((yield* ledger.alerts).map(({ kind, detail, words }) => [kind, detail, words]).toSorted()).toEqual([
              ["logged-only", "{}", null],
              ["sla-breach", '{"late":1}', words]
            ])
            expect((yield* ledger.events).map(({ kind, detail }) => [kind, detail])).toEqual([
              ["capacity", '{"workers":2}'],
              ["capacity", '{"workers":4}']
            ])
          })
        )
      })
    )
  })
}
