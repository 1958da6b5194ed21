/** Whether what failed in the primary pass is asked again without a person's word (RTY-2). */
import * as Effect from "effect/Effect"

import type { Plan } from "../../dsl/index.ts"
import { percent } from "../report/text.ts"
import type { LedgerShape } from "../store/ledger.ts"
import { alertItemsMin, alertRates } from "../store/slo.ts"
import type { StoreError } from "../store/store-error.ts"
import type { Alerts } from "./alerts.ts"
import type { WaitsAtGate } from "./run-error.ts"
import { waitAtGate } from "./wait-at-gate.ts"
import type { FailedPass } from "./work.ts"

export interface SweepQuestion {
  readonly ledger: Pick<LedgerShape, "gates" | "openGate" | "tally">
  readonly alerts: Alerts["Service"]
  readonly run: string
  readonly plan: Pick<Plan, "failureRateMax">
  /** A person looks at a trial anyway, and it has few items. */
  readonly isTrial: boolean
}

/** Returns where the sweeps may begin; fails with `WaitsAtGate` where too many items failed and nobody has agreed yet. All must be durable before. */
export const agreeToSweeps = Effect.fn("Run.agreeToSweeps")(function* (
  { ledger, alerts, run, plan, isTrial }: SweepQuestion,
  { items: failed, byCode }: FailedPass
): Effect.fn.Return<void, StoreError | WaitsAtGate> {
  const { manifest } = yield* ledger.tally
  const rateMax = plan.failureRateMax ?? alertRates.primaryFailureMax
  const rate = failed / Math.max(1, manifest)
  if (isTrial || rate <= rateMax || (plan.failureRateMax === undefined && manifest < alertItemsMin)) return
  yield* alerts.raise({
    kind: "failure-rate",
    severity: "warning",
    text: `${percent(failed, manifest)} of the items of run ${run} failed in its primary pass. Nothing is asked again before somebody has looked: \`runtime gates\`.`,
    detail: { items: manifest, failed, rateMax }
  })
  const detail = {
    items: manifest,
    attempted: manifest,
    failed,
    rate,
    rateMax,
    byCode: byCode.slice(0, codesMax).map(({ code, items }) => ({ code, count: items }))
  }
  // A rejected one holds the rest back before anything is worked on.
  yield* waitAtGate({ ledger, run, kind: "failure-rate", detail })
})

const codesMax = 10
