/** A run's own files, while no process works on it: opened, changed and closed by one command. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import { sql, type Kysely } from "kysely"

import { openDuck, type Duck } from "./duck.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { migrate } from "./migrate.ts"
import { payloadMigrations } from "./payload-tables.ts"
import type { StateFolder } from "./state-folder.ts"
import { stateMigrations } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

export interface RunAtRest {
  readonly db: Kysely<LedgerTables>
  /** Whether a table is there: files of older versions lack some, and a payload may be destroyed. `state.gates` */
  readonly has: (table: keyof LedgerTables) => boolean
}

interface Work<A> {
  readonly folder: StateFolder
  readonly run: string
  readonly doing: string
  /** Whether it writes: then the files are brought to this version's tables first, and a look of somebody else's is waited out. */
  readonly writes: boolean
  readonly work: (run: RunAtRest) => Promise<A>
}

/** Null where there is no such run. Fails with reason `held` while a process works on it. A transaction can write to one of the two files. */
export const atRest = <A>({ folder, run, doing, writes, work }: Work<A>): Effect.Effect<A | null, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { state, payload } = folder.run(run)
      // Attached, a file that isn't there would be made.
      if (run === "" || !existsSync(state)) return null
      const hasPayload = existsSync(payload)
      const duck: Duck<LedgerTables> = yield* openDuck({
        attach: [{ name: "state", path: state }, ...(hasPayload ? [{ name: "payload", path: payload }] : [])],
        memoryMb: 100,
        outwaitsLookers: writes
      })
      const tables = duck.use(doing, readTables)
      if (!(yield* tables).has("state.run")) return null
      if (writes) {
        yield* migrate(duck, "state", state, stateMigrations)
        if (hasPayload) yield* migrate(duck, "payload", payload, payloadMigrations)
      }
      const names = yield* tables
      return yield* duck.use(doing, (db) => work({ db, has: (table) => names.has(table) }))
    })
  )

const readTables = async (db: Kysely<LedgerTables>): Promise<ReadonlySet<string>> => {
  const { rows } = await sql<{ name: string }>`select database_name || '.' || table_name as name from duckdb_tables()`.execute(db)
  return new Set(rows.map(({ name }) => name))
}
