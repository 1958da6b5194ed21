/** Tells people of dead letters, once a run (RTY-3). */
import * as Effect from "effect/Effect"

import type { DuckLedger } from "../store/ledger-duckdb.ts"
import { readWorstCause } from "../store/worst-cause.ts"
import type { Alerts } from "./alerts.ts"

/** After all its items are settled. */
export const alertDeadLetters = Effect.fnUntraced(function* (
  { alerts, ledger }: { readonly alerts: Alerts["Service"]; readonly ledger: Pick<DuckLedger, "duck"> },
  run: string,
  dead: number
) {
  if (dead === 0) return
  const worst = yield* readWorstCause(ledger)
  const cause = worst === null ? "" : `: ${worst.items === dead ? "all" : worst.items} of one cause, ${causeText(worst)}`
  yield* alerts.raise({
    kind: "dead-letters",
    severity: "warning",
    text: `Run ${run} gave up on ${dead} ${dead === 1 ? "item" : "items"}${dead === 1 && worst !== null ? `: ${causeText(worst)}` : cause}. See them: runtime dlq list --run ${run}`,
    detail: { items: dead, worst }
  })
})

const causeText = ({ step, code, rule }: { readonly step: string; readonly code: string; readonly rule: string | null }): string =>
  `${rule === null ? code : `rule ${rule}`} at ${step}`
