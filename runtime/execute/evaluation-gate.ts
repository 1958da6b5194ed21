/** What a run says when a prompt or model that has not been used yet does worse on the labelled sample than it must. */
import * as Schema from "effect/Schema"

import { count } from "../report/text.ts"
import { approveOrReject, gateKind } from "./gate-kind.ts"

const EvaluationGateDetail = Schema.Struct({
  step: Schema.String,
  model: Schema.String,
  promptVersion: Schema.String,
  /** Of prompt version, model and parameters: what was evaluated, and what an approval holds for. */
  subject: Schema.String,
  labelled: Schema.Finite,
  /** The mean over the labelled sample, 0 to 1; an example without a usable answer counts as 0. */
  score: Schema.Finite,
  scoreMin: Schema.Finite,
  /** The lowest scores, by the example's place in the sample, from 0. */
  worst: Schema.Array(Schema.Struct({ index: Schema.Finite, score: Schema.Finite }))
})
export type EvaluationGateDetail = typeof EvaluationGateDetail.Type

const rounded = (score: number): string => String(Math.round(score * 1_000) / 1_000)

/** A step's prompt, model or parameters are new, and did not reach the score that the job asks for. No item has been asked yet. */
export const evaluationGate = gateKind({
  detail: EvaluationGateDetail,
  says: ({ step, model, promptVersion, labelled, score, scoreMin, worst }) => [
    `Step "${step}" (${model}, prompt ${promptVersion}) reached ${rounded(score)} on its ${count(labelled)} labelled examples, and ${rounded(scoreMin)} is asked for. No item was asked.`,
    `Lowest, by place in the sample: ${worst.map(({ index, score: of }) => `${index} (${rounded(of)})`).join(", ")}.`
  ],
  commands: (gate) => approveOrReject(gate, { approve: "use it all the same", reject: "close the run" })
})
