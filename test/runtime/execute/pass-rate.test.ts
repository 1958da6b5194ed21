import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { Alerts } from "../../../runtime/execute/alerts.ts"
import { passRateAllows, qualityOf } from "../../../runtime/execute/pass-rate.ts"
import type { Disposition } from "../../../runtime/store/state-tables.ts"
import { beginSealed, twoEnds } from "../../support/ledger-run.ts"
import { memoryStore, type LedgerStore } from "../../support/ledger-store.ts"

const ended = (over: Partial<Record<Disposition, number>>): Readonly<Record<Disposition, number>> => ({
  delivered: 0,
  dead: 0,
  review: 0,
  held: 0,
  skipped: 0,
  ...over
})

/** What a session that comes to its release says: released, refused, or where it waits. */
const ask = (store: LedgerStore, dispositions: Readonly<Record<Disposition, number>>, passRateMin?: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* store.open(twoEnds)
      yield* beginSealed(ledger, 1)
      const plan = passRateMin === undefined ? {} : { passRateMin }
      const said = yield* Effect.result(passRateAllows({ ledger, alerts: Alerts.on(ledger), run: "r1", plan, dispositions }))
      const isAlertNews = yield* ledger.raiseAlert("quality", {})
      yield* store.crash
      if (said._tag === "Success") return { said: said.success, isAlertNews }
      if (said.failure._tag !== "WaitsAtGate") throw said.failure
      return { said: `waits at ${said.failure.gate}`, isAlertNews, message: said.failure.message }
    })
  )

describe("the pass rate of a run", () => {
  it("[VAL-5] counts dead letters among the judged items; what waits for review has not failed, held back and skipped ones were not judged", () => {
    expect(qualityOf({}, ended({ delivered: 99, review: 1, held: 500, skipped: 500 }))).toBeNull()
    expect(qualityOf({}, ended({ delivered: 50, dead: 2, review: 48 }))).toEqual({
      judged: 100,
      delivered: 50,
      dead: 2,
      review: 48,
      passRate: 0.98,
      passRateMin: 0.99
    })
    expect(qualityOf({}, ended({ held: 10, skipped: 3 }))).toBeNull()
    expect(qualityOf({ passRateMin: 1 }, ended({ delivered: 7 }))).toBeNull()
  })

  it.effect("[VAL-5] below 99 % it raises an alert, once, and the release waits for a person", () =>
    Effect.gen(function* () {
      const store = yield* memoryStore
      const poor = ended({ delivered: 98, dead: 2 })
      const waits = yield* ask(store, poor)
      expect(waits).toMatchObject({ said: "waits at r1.1", isAlertNews: false })
      expect(waits.message).toContain("2 of 100 items are dead letters: 98 % passed, and 99 % should.")
      expect(waits.message).toContain("runtime approve r1.1\n")
      // Again, after a restart: the same gate.
      expect(yield* ask(store, poor)).toMatchObject({ said: "waits at r1.1" })
      yield* store.decide({ gate: "r1.1", decision: "approved", addUsd: null })
      expect(yield* ask(store, poor)).toMatchObject({ said: true })
    })
  )

  it.effect("[VAL-5] a release that a person refused is refused in every later session", () =>
    Effect.gen(function* () {
      const store = yield* memoryStore
      yield* ask(store, ended({ delivered: 1, dead: 1 }), 0.9)
      yield* store.decide({ gate: "r1.1", decision: "rejected", addUsd: null })
      expect(yield* ask(store, ended({ delivered: 1, dead: 1 }), 0.9)).toMatchObject({ said: false })
      expect(yield* ask(store, ended({ delivered: 1, dead: 1 }), 0.9)).toMatchObject({ said: false })
    })
  )

  it.effect("[VAL-5] with fewer than 100 items the default only raises the alert; a declared rate stops at any number", () =>
    Effect.gen(function* () {
      const store = yield* memoryStore
      expect(yield* ask(store, ended({ delivered: 98, dead: 1 }))).toMatchObject({ said: true, isAlertNews: false })
      expect(yield* ask(store, ended({ delivered: 98, dead: 1 }), 0.99)).toMatchObject({ said: "waits at r1.1" })
      // Control: enough passed, and nobody is told.
      const calm = yield* memoryStore
      expect(yield* ask(calm, ended({ delivered: 99, dead: 1 }))).toMatchObject({ said: true, isAlertNews: true })
    })
  )
})
