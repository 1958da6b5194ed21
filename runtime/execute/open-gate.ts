/** What a run that ended with exit code "waiting" still waits for. */
import * as Effect from "effect/Effect"

import { listRunGates } from "../store/decide-gate.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { readBudgetGate } from "./budget-gate.ts"
import { WaitsAtGate } from "./run-error.ts"

/** The gate that nobody has decided; null where there is none, or another version wrote it and only going on tells more. */
export const openGateOf = Effect.fn("Run.openGate")(function* (folder: StateFolder, run: string) {
  const open = (yield* listRunGates(folder, run)).find(({ decision }) => decision === null)
  const detail = open === undefined ? null : readBudgetGate(open.detail)
  return open === undefined || detail === null ? null : new WaitsAtGate({ run, gate: open.gate, kind: "budget", detail })
})
