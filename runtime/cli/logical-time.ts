/** `--date` as the time that a run is about. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Plan } from "../../dsl/index.ts"
import { logicalTimeOf } from "../schedule/fire-times.ts"
import { Misuse } from "./misuse.ts"

export const logicalTimeFor = Effect.fnUntraced(function* ({ schedule }: Plan, date: string | null) {
  const logical = logicalTimeOf(schedule, date, new Date(yield* Clock.currentTimeMillis))
  if ("problem" in logical) return yield* new Misuse({ problem: `--date: ${logical.problem}.`, remedy: `${logical.remedy}.` })
  return logical
})
