/** Gates of a run that no process works on, opened and closed from outside: before a session there is nobody else to do it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { GateRecord } from "./ledger.ts"
import { findOrOpenGate, withdrawOpenGate } from "./money-ledger.ts"
import { atRest } from "./run-at-rest.ts"
import type { StateFolder } from "./state-folder.ts"
import type { GateKind } from "./state-tables.ts"

type Opening = Pick<GateRecord, "kind" | "detail" | "openedAt" | "expiresAt">

/** Opens a gate, or finds the one of its kind that is open; the run waits there. Fails with reason `held` while a process works on the run. */
export const openGateAtRest = Effect.fn("Store.openGateAtRest")(function* (folder: StateFolder, run: string, opening: Opening) {
  const opened = yield* atRest({
    folder,
    run,
    doing: "opening a gate",
    writes: true,
    work: ({ db }) =>
      db.transaction().execute(async (transaction) => {
        const gate = await findOrOpenGate(transaction, opening)
        await transaction.updateTable("state.run").set({ status: "waiting" }).execute()
        return gate
      })
  })
  return opened ?? (yield* Effect.die(new Error(`Run ${run} has no state file any more`)))
})

/** Closes the open gate of a kind without an answer. */
export const withdrawGateAtRest = Effect.fn("Store.withdrawGateAtRest")(function* (folder: StateFolder, run: string, kind: GateKind) {
  const now = new Date(yield* Clock.currentTimeMillis)
  yield* atRest({ folder, run, doing: "closing a gate", writes: true, work: ({ db }) => withdrawOpenGate(db, kind, now) })
})
