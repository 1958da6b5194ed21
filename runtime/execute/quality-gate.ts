/** What a run says when too few of its items passed to be released without a look. */
import * as Schema from "effect/Schema"

import { count, percent } from "../report/text.ts"
import { approveOrReject, gateKind } from "./gate-kind.ts"

const QualityGateDetail = Schema.Struct({
  /** Delivered, dead and in review: what models and rules said something of. */
  judged: Schema.Finite,
  delivered: Schema.Finite,
  dead: Schema.Finite,
  review: Schema.Finite,
  /** 0 to 1. */
  passRate: Schema.Finite,
  passRateMin: Schema.Finite
})
export type QualityGateDetail = typeof QualityGateDetail.Type

/** What happened, in one sentence: also for the alert of a run that doesn't wait. */
export const qualityText = ({ judged, dead, review, passRateMin }: QualityGateDetail): string =>
  `${count(dead)} of ${count(judged)} items ${dead === 1 ? "is a dead letter" : "are dead letters"}: ${percent(judged - dead, judged)} passed, and ${percent(passRateMin, 1)} should.` +
  (review === 0 ? "" : ` ${count(review)} ${review === 1 ? "waits" : "wait"} for review.`)

/** Too few items passed: all is done, and nothing is released before a person agrees. */
export const qualityGate = gateKind({
  detail: QualityGateDetail,
  says: (detail) => [qualityText(detail), "Every item is done; no output is released yet."],
  commands: (gate) => [
    { use: "look first", command: `runtime report ${gate.replace(/\.\d+$/, "")}` },
    ...approveOrReject(gate, { approve: "release what passed", reject: "close, release nothing" })
  ]
})
