/** What a run that ended with exit code "waiting" still waits for. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { listRunGates } from "../store/decide-gate.ts"
import { isOverdue } from "../store/gate-expiry.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { gateKinds } from "./gate-kinds.ts"
import { waitsAt } from "./run-error.ts"

/**
 * The gate that nobody has decided; null where there is none, where only going on tells more (another version wrote it), and where it expired: the next
 * session closes the run.
 */
export const openGateOf = Effect.fn("Run.openGate")(function* (folder: StateFolder, run: string) {
  const now = yield* Clock.currentTimeMillis
  const open = (yield* listRunGates(folder, run)).find(({ decision }) => decision === null)
  if (open === undefined || isOverdue(open, now) || gateKinds[open.kind]?.read(open.detail) === null) return null
  return waitsAt({ run, gate: open.gate, kind: open.kind, detail: open.detail, expiresAt: open.expiresAt })
})
