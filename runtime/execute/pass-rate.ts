/** Whether enough of a run's items passed to be released without a look (VAL-5). */
import * as Effect from "effect/Effect"

import type { Plan } from "../../dsl/index.ts"
import type { LedgerShape } from "../store/ledger.ts"
import { alertItemsMin, alertRates } from "../store/slo.ts"
import type { Disposition } from "../store/state-tables.ts"
import type { StoreError } from "../store/store-error.ts"
import type { Alerts } from "./alerts.ts"
import { qualityText, type QualityGateDetail } from "./quality-gate.ts"
import type { WaitsAtGate } from "./run-error.ts"
import { waitAtGate } from "./wait-at-gate.ts"

export interface PassRateQuestion {
  readonly ledger: Pick<LedgerShape, "gates" | "openGate">
  readonly alerts: Alerts["Service"]
  readonly run: string
  readonly plan: Pick<Plan, "passRateMin">
  readonly dispositions: Readonly<Record<Disposition, number>>
}

/** Below the rate it raises an alert, and asks a person. Returns whether the run may be released; fails where it waits. */
export const passRateAllows = Effect.fn("Run.passRate")(function* ({
  ledger,
  alerts,
  run,
  plan,
  dispositions
}: PassRateQuestion): Effect.fn.Return<boolean, StoreError | WaitsAtGate> {
  const detail = qualityOf(plan, dispositions)
  if (detail === null) return true
  const isHeld = plan.passRateMin !== undefined || detail.judged >= alertItemsMin
  yield* alerts.raise({
    kind: "quality",
    severity: "warning",
    text: `Run ${run}: ${qualityText(detail)}${isHeld ? "" : ` With fewer than ${alertItemsMin} items the release goes on.`}`,
    detail
  })
  return !isHeld || (yield* waitAtGate({ ledger, run, kind: "quality", detail })) === "approved"
})

/** Null where enough passed. What waits for review hasn't failed: a person may still let it through. Items held back or skipped were not judged. */
export const qualityOf = (
  { passRateMin = alertRates.passMin }: Pick<Plan, "passRateMin">,
  { delivered, dead, review }: Readonly<Record<Disposition, number>>
): QualityGateDetail | null => {
  const judged = delivered + dead + review
  const passRate = (judged - dead) / judged
  if (judged === 0 || passRate >= passRateMin) return null
  return { judged, delivered, dead, review, passRate, passRateMin }
}
