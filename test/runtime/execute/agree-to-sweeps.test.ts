import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { Alerts } from "../../../runtime/execute/alerts.ts"
import { agreeToSweeps } from "../../../runtime/execute/agree-to-sweeps.ts"
import { beginSealed, twoEnds } from "../../support/ledger-run.ts"
import { memoryStore } from "../../support/ledger-store.ts"

/** Whether `failed` of `items` items wait for a person. */
const waits = (items: number, failed: number, over: { readonly failureRateMax?: number; readonly isTrial?: boolean } = {}) =>
  Effect.gen(function* () {
    const store = yield* memoryStore
    const ledger = yield* store.open(twoEnds)
    yield* beginSealed(ledger, items)
    const { isTrial = false, ...plan } = over
    const agreed = yield* Effect.exit(
      agreeToSweeps(
        { ledger, alerts: Alerts.on(ledger), run: "r1", plan, isTrial },
        { items: failed, byCode: [{ code: "timeout", items: failed }] }
      )
    )
    return agreed._tag === "Failure"
  })

describe("sweeps", () => {
  it.effect("[RTY-2] need a person's word above 5 % of 100 items and more", () =>
    Effect.gen(function* () {
      expect(yield* waits(100, 5)).toBe(false)
      expect(yield* waits(100, 6)).toBe(true)
      expect(yield* waits(99, 99)).toBe(false)
      expect(yield* waits(100, 100, { isTrial: true })).toBe(false)
    })
  )

  it.effect("[RTY-2] need it above what the job declares, however few items there are", () =>
    Effect.gen(function* () {
      expect(yield* waits(10, 1, { failureRateMax: 0 })).toBe(true)
      expect(yield* waits(10, 1, { failureRateMax: 0.1 })).toBe(false)
      expect(yield* waits(1_000, 900, { failureRateMax: 1 })).toBe(false)
    })
  )
})
