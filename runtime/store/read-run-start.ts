/** Reads what a run began with from its files, while no process works on it. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { sql, type Kysely } from "kysely"

import { openDuck, type Duck } from "./duck.ts"
import type { RunStart } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { RunFolder } from "./state-folder.ts"
import type { RunStatus } from "./state-tables.ts"
import { StoreError } from "./store-error.ts"

const Consumers = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Schema.String)))

export interface FoundRun {
  readonly start: RunStart
  readonly status: RunStatus
  /** Whether its manifest stands. */
  readonly isSealed: boolean
}

/** Null where the files hold no run yet. Fails with reason `held` while a process works on it. */
export const readRunStart = (folder: RunFolder): Effect.Effect<FoundRun | null, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      // Attached, a file that isn't there would be made, and then look like a run that lost everything.
      for (const path of [folder.state, folder.payload]) if (!existsSync(path)) return yield* missing(path)
      const duck: Duck<LedgerTables> = yield* openDuck({
        attach: [
          { name: "state", path: folder.state },
          { name: "payload", path: folder.payload }
        ],
        memoryMb: 100,
        outwaitsLookers: true
      })
      const has = yield* duck.use("reading the run", readTables)
      if (!has.run) return yield* has.items ? broken(folder.state) : Effect.succeed(null)
      if (!has.params) return yield* broken(folder.payload)
      return yield* duck.use("reading the run", async (db) => {
        const row = await db.selectFrom("state.run").selectAll().executeTakeFirst()
        const params = await db.selectFrom("payload.params").selectAll().executeTakeFirst()
        if (row === undefined || params === undefined) return null
        const start: RunStart = {
          run: row.run,
          job: row.job,
          owner: row.owner,
          purpose: row.purpose,
          classification: row.classification,
          consumers: Consumers(row.consumers),
          logicalTime: row.logical_time,
          interval: { start: row.interval_start, end: row.interval_end },
          itemLimit: row.item_limit,
          planDigest: row.plan_digest,
          plan: row.plan,
          budgetUsd: row.budget_usd,
          estimateUsd: row.estimate_usd,
          jobModule: row.job_module,
          params: params.params,
          // Files of an older version have no such column.
          ...(row.origin ? { origin: row.origin } : {})
        }
        return { start, status: row.status, isSealed: row.sealed_at !== null }
      })
    })
  )

const missing = (path: string): StoreError =>
  new StoreError({ reason: "missing", path, detail: "both files of a run are needed to go on", holderPid: null })

const broken = (path: string): StoreError => new StoreError({ reason: "broken", path, detail: "its rows are gone", holderPid: null })

/** A kill at the very beginning leaves files without tables or rows; once there are items, both files have all of theirs. */
const readTables = async (db: Kysely<LedgerTables>) => {
  const { rows } = await sql<{ name: string }>`select database_name || '.' || table_name as name from duckdb_tables()`.execute(db)
  const names = new Set(rows.map(({ name }) => name))
  const hasRows = async (table: "state.run" | "payload.params" | "payload.items"): Promise<boolean> =>
    names.has(table) && (await db.selectFrom(table).selectAll().limit(1).execute()).length > 0
  return { run: await hasRows("state.run"), params: await hasRows("payload.params"), items: await hasRows("payload.items") }
}
