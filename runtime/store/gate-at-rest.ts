/** Gates of a run that no process works on, opened and closed from outside: before a session there is nobody else to do it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Kysely } from "kysely"

import { openDuck, type Duck } from "./duck.ts"
import type { GateRecord } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { migrate } from "./migrate.ts"
import { findOrOpenGate, withdrawOpenGate } from "./money-ledger.ts"
import type { StateFolder } from "./state-folder.ts"
import { stateMigrations, type GateKind } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

type Opening = Pick<GateRecord, "kind" | "detail" | "openedAt" | "expiresAt">

/** Opens a gate, or finds the one of its kind that is open; the run waits there. Fails with reason `held` while a process works on the run. */
export const openGateAtRest = Effect.fn("Store.openGateAtRest")(
  (folder: StateFolder, run: string, opening: Opening): Effect.Effect<GateRecord, StoreError> =>
    onState(folder, run, "opening a gate", async (db) => {
      const gate = await findOrOpenGate(db, opening)
      await db.updateTable("state.run").set({ status: "waiting" }).execute()
      return gate
    })
)

/** Closes the open gate of a kind without an answer. */
export const withdrawGateAtRest = Effect.fn("Store.withdrawGateAtRest")(function* (folder: StateFolder, run: string, kind: GateKind) {
  const now = new Date(yield* Clock.currentTimeMillis)
  yield* onState(folder, run, "closing a gate", (db) => withdrawOpenGate(db, kind, now))
})

const onState = <A>(folder: StateFolder, run: string, doing: string, work: (db: Kysely<LedgerTables>) => Promise<A>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { state } = folder.run(run)
      const duck: Duck<LedgerTables> = yield* openDuck({ attach: [{ name: "state", path: state }], memoryMb: 100, outwaitsLookers: true })
      yield* migrate(duck, "state", state, stateMigrations)
      return yield* duck.use(doing, (db) => db.transaction().execute(work))
    })
  )
