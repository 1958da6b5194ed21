/** What a run of a high-stakes job says when a person must see a sample of its outputs before anybody else gets them. */
import * as Schema from "effect/Schema"

import { plural } from "../report/text.ts"
import { approveOrReject, gateKind } from "./gate-kind.ts"

const ReleaseGateDetail = Schema.Struct({
  /** Items drawn. */
  sample: Schema.Finite,
  delivered: Schema.Finite
})
export type ReleaseGateDetail = typeof ReleaseGateDetail.Type

/** Nothing is released before a person accepted every item of the sample. */
export const releaseGate = gateKind({
  detail: ReleaseGateDetail,
  says: ({ sample, delivered }) => [
    `${plural(sample, "item")} of ${plural(delivered, "delivered one")} were drawn for a person to see, and each must be accepted before any output is released.`
  ],
  commands: (gate) => [
    { use: "see the sample", command: `runtime sample list ${gate}` },
    ...approveOrReject(gate, { approve: "then release", reject: "close, release nothing" })
  ]
})
