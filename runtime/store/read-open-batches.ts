/** Provider batches that a run at rest has not done with: running, ended and not taken, or taken and not judged. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import { sql } from "kysely"

import { readBatches } from "./batch-ledger.ts"
import type { BatchRecord } from "./batch-record.ts"
import { openDuck, type Duck } from "./duck.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { RunFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Whether there is still something to be done with it. */
export const isOpenBatch = ({ status }: Pick<BatchRecord, "status">): boolean => status !== "settled" && status !== "dropped"

/** Whether it is at work at the provider, as far as we know, and billed for what it does. */
export const isAtProvider = ({ status }: Pick<BatchRecord, "status">): boolean => status === "intended" || status === "live"

/** All batches of the run, oldest first; none where its file is older than batches. Fails with reason `held` while a process works on the run. */
export const readRunBatches = (folder: RunFolder): Effect.Effect<ReadonlyArray<BatchRecord>, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (!existsSync(folder.state)) return []
      const duck: Duck<LedgerTables> = yield* openDuck({
        attach: [{ name: "state", path: folder.state }],
        memoryMb: 100,
        outwaitsLookers: true
      })
      return yield* duck.use("reading provider batches", async (db) => {
        const { rows } = await sql<{
          tables: number
        }>`select count(*) as tables from duckdb_tables() where database_name = 'state' and table_name = 'batches'`.execute(db)
        return rows[0]?.tables === 1 ? readBatches(db) : []
      })
    })
  )
