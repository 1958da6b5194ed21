import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import { Alerts, type Alert, type TellAlert } from "../../../runtime/execute/alerts.ts"
import { StoreError } from "../../../runtime/store/store-error.ts"
import { beginSealed, twoEnds } from "../../support/ledger-run.ts"
import { memoryStore } from "../../support/ledger-store.ts"

const late: Alert = { kind: "sla-breach", severity: "critical", text: "Run r1 is late.", detail: { lateMs: 1 }, toConsumers: "Late." }

const listener = () => {
  const told: Array<Parameters<TellAlert>[0]> = []
  return { told, tell: (raised: Parameters<TellAlert>[0]) => void told.push(raised) }
}

describe("alerts of a run", () => {
  it.effect("[SLA-2] each kind is told once, and after a kill and a restart it isn't told again", () =>
    Effect.gen(function* () {
      const store = yield* memoryStore
      const { told, tell } = listener()
      const killed = yield* store.open(twoEnds)
      yield* beginSealed(killed, 2)
      const before = Alerts.on(killed, tell)
      expect(yield* before.raise(late)).toBe(true)
      expect(yield* before.raise(late)).toBe(false)
      yield* store.crash
      const ledger = yield* store.open(twoEnds)
      yield* beginSealed(ledger, 2)
      const after = Alerts.on(ledger, tell)
      expect(yield* after.raise(late)).toBe(false)
      expect(yield* after.raise({ ...late, kind: "sla-70", severity: "warning" })).toBe(true)
      expect(told.map(({ kind, words }) => [kind, words.opensIncident, words.consumersText])).toEqual([
        ["sla-breach", true, "Late."],
        ["sla-70", false, "Late."]
      ])
    })
  )

  it.effect("[SLA-2] a file that can't be written fails no run: the alert is told once by this process", () =>
    Effect.gen(function* () {
      const { told, tell } = listener()
      const broken = new StoreError({ reason: "broken", path: "state.duckdb", detail: "", holderPid: null })
      const alerts = Alerts.on({ raiseAlert: () => Effect.fail(broken) }, tell)
      expect(yield* alerts.raise(late)).toBe(true)
      expect(yield* alerts.raise(late)).toBe(false)
      expect(told).toHaveLength(1)
    })
  )

  it.effect("[CHK-4] a disk that is full for hours keeps an alert back for seconds", () =>
    Effect.gen(function* () {
      const { told, tell } = listener()
      const raising = yield* Effect.forkChild(Alerts.on({ raiseAlert: () => Effect.never }, tell).raise(late))
      yield* TestClock.adjust("4 seconds")
      expect(told).toHaveLength(0)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(raising)).toBe(true)
      expect(told).toHaveLength(1)
    })
  )
})
