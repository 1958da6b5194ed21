/** What a run says when so many items failed in its primary pass that asking them again may be money for nothing. */
import * as Schema from "effect/Schema"

import { count, percent } from "../report/text.ts"
import { approveOrReject, gateKind } from "./gate-kind.ts"

const FailureRateGateDetail = Schema.Struct({
  /** Of the manifest. */
  items: Schema.Finite,
  /** Items that the primary pass came to. */
  attempted: Schema.Finite,
  /** Of these, the ones whose first try failed and could be tried again. */
  failed: Schema.Finite,
  rate: Schema.Finite,
  rateMax: Schema.Finite,
  /** The most frequent first. */
  byCode: Schema.Array(Schema.Struct({ code: Schema.String, count: Schema.Finite }))
})

/** Too many items failed in the primary pass: they are asked again only if a person agrees. */
export const failureRateGate = gateKind({
  detail: FailureRateGateDetail,
  says: ({ attempted, failed, rateMax, byCode }) => [
    `${count(failed)} of ${count(attempted)} items failed in the primary pass, ${percent(failed, attempted)}, and at most ${percent(rateMax, 1)} may before a person looks: ` +
      `${byCode.map(({ code, count: items }) => `${code} ${count(items)}`).join(", ")}.`,
    "Nothing has been asked again yet. When the cause is gone, or is theirs alone, let them be swept up."
  ],
  commands: (gate) => approveOrReject(gate, { approve: "ask them again", reject: "close without them" })
})
