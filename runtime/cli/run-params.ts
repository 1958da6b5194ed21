/** What a run that goes on is given again: its parameters, and its logical date. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Job, Plan } from "../../dsl/index.ts"
import { logicalTimeOf } from "../schedule/fire-times.ts"
import type { RunStart } from "../store/ledger.ts"

export const decodeRunParams = Effect.fnUntraced(function* (job: Job, plan: Plan, start: RunStart) {
  const schema = job.options.params
  const params =
    schema === undefined ? {} : yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.toCodecJson(schema)))(start.params)
  const logical = logicalTimeOf(plan.schedule, null, start.logicalTime)
  const date = "problem" in logical ? start.logicalTime.toISOString().slice(0, 10) : logical.date
  return { params, date }
})
