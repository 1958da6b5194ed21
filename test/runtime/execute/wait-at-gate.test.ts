import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

import { commandLines, gateKinds, gateWords } from "../../../runtime/execute/gate-kinds.ts"
import { waitAtGate } from "../../../runtime/execute/wait-at-gate.ts"
import { gateKindNames } from "../../../runtime/store/state-tables.ts"
import { beginSealed, twoEnds } from "../../support/ledger-run.ts"
import { duckStore, memoryStore, type LedgerStore } from "../../support/ledger-store.ts"

const detail = { items: 1_000, attempted: 900, failed: 90, rate: 0.1, rateMax: 0.05, byCode: [{ code: "timeout", count: 90 }] }

/** A session that asks, and is killed. */
const ask = (store: LedgerStore, isSame?: (earlier: typeof detail) => boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* store.open(twoEnds)
      yield* beginSealed(ledger, 1)
      const asked = yield* Effect.result(
        waitAtGate({
          ledger,
          run: "r1",
          kind: "failure-rate",
          detail,
          ...(isSame === undefined ? {} : { isSame: isSame as () => boolean })
        })
      )
      yield* store.crash
      if (asked._tag === "Success") return asked.success
      if (asked.failure._tag !== "WaitsAtGate") throw asked.failure
      return `waits at ${asked.failure.gate}`
    })
  )

describe.each([
  ["DuckDB", duckStore],
  ["memory", memoryStore]
] as const)("a run that asks a person, in %s", (_, makeStore) => {
  it.effect("[RTY-2] waits at one gate however often it comes back, and goes on once it is approved, in every later session", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      expect(yield* ask(store)).toBe("waits at r1.1")
      yield* TestClock.adjust("6 days")
      expect(yield* ask(store)).toBe("waits at r1.1")
      yield* store.decide({ gate: "r1.1", decision: "approved", addUsd: null })
      yield* TestClock.adjust("30 days")
      expect(yield* ask(store)).toBe("approved")
      expect(yield* ask(store)).toBe("approved")
      // Another question of the same kind is asked anew.
      expect(yield* ask(store, () => false)).toBe("waits at r1.2")
    })
  )

  it.effect(
    "[RTY-2] a gate at which nobody decided for seven days counts as rejected, and one that nobody will ever mind again for nothing",
    () =>
      Effect.gen(function* () {
        const store = yield* makeStore
        expect(yield* ask(store)).toBe("waits at r1.1")
        yield* TestClock.adjust("7 days")
        expect(yield* ask(store)).toBe("rejected")
        expect(yield* ask(store)).toBe("rejected")
        // Control: withdrawn in time, it is asked again.
        const other = yield* makeStore
        expect(yield* ask(other)).toBe("waits at r1.1")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const ledger = yield* other.open(twoEnds)
            yield* beginSealed(ledger, 1)
            yield* ledger.withdrawGate("failure-rate")
            yield* other.crash
          })
        )
        yield* TestClock.adjust("7 days")
        expect(yield* ask(other)).toBe("waits at r1.2")
      })
  )
})

describe("what a gate says", () => {
  it("[RTY-2] is what happened, why, and what to type", () => {
    const { says, commands } = gateWords("r1.1", "failure-rate", detail)
    expect(says[0]).toBe("90 of 900 items failed in the primary pass, 10 %, and at most 5 % may before a person looks: timeout 90.")
    expect(commandLines(commands)).toEqual(["  ask them again:     runtime approve r1.1", "  close without them: runtime reject r1.1"])
  })

  it("of what another version wrote, is what every gate has", () => {
    for (const kind of gateKindNames) {
      expect(gateKinds[kind].read({ unknown: true })).toBeNull()
      expect(gateWords("r1.1", kind, { unknown: true }).commands.map(({ command }) => command)).toEqual([
        "runtime approve r1.1",
        "runtime reject r1.1"
      ])
    }
  })

  it("[CST-2] only a budget gate takes money", () => {
    expect(gateKindNames.filter((kind) => gateKinds[kind].takesUsd)).toEqual(["budget"])
  })
})
