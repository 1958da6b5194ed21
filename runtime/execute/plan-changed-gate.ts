/** What a run says when its job compiles to another plan than it began with. */
import * as Schema from "effect/Schema"

import { approveOrReject, gateKind } from "./gate-kind.ts"

const PlanChangedGateDetail = Schema.Struct({
  /** Digests of the two plans. */
  began: Schema.String,
  now: Schema.String,
  /** Step by step; "job" for what belongs to none. */
  changes: Schema.Array(Schema.Struct({ step: Schema.String, what: Schema.Array(Schema.String) })),
  items: Schema.Finite,
  openItems: Schema.Finite
})
export type PlanChangedGateDetail = typeof PlanChangedGateDetail.Type

/** The job changed since the run began: open items would be done otherwise than finished ones. */
export const planChangedGate = gateKind({
  detail: PlanChangedGateDetail,
  says: ({ began, now, changes, items, openItems }) => [
    `It began under plan ${began.slice(0, 12)}, and its job now compiles to ${now.slice(0, 12)}. ` +
      `Changed: ${changes.map(({ step, what }) => `${step} (${what.join(", ")})`).join("; ")}.`,
    `${items - openItems} of ${items} items are done and stay as they are; ${openItems} would be done under the new plan, their rows marked with it. ` +
      "Restored, the job goes on with `runtime resume` as if nothing had been."
  ],
  commands: (gate) => approveOrReject(gate, { approve: "go on, new plan", reject: "close without them" })
})
