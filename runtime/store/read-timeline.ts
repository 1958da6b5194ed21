/** What happened in a run, moment by moment, and what was written for its consumers. */
import { sql, type Kysely } from "kysely"

import type { LedgerTables } from "./ledger-tables.ts"
import { timelineSql } from "./timeline-sql.ts"

type Db = Kysely<LedgerTables>

/** In the order of one instant's events as well: nothing ends before it began. */
const kinds = [
  "began",
  "sealed",
  "resumed",
  "pause",
  "unpause",
  "capacity",
  "alert",
  "gate-opened",
  "gate-approved",
  "gate-rejected",
  "gate-expired",
  "gate-withdrawn",
  "released",
  "exported",
  "ended"
] as const

export const readTimeline = async (db: Db) => {
  const { rows } = await sql<{
    at: Date
    kind: (typeof kinds)[number]
    detail: string | null
  }>`select happened_at as at, kind, detail from (${sql.raw(timelineSql)})`.execute(db)
  return rows
    .toSorted((a, b) => a.at.getTime() - b.at.getTime() || kinds.indexOf(a.kind) - kinds.indexOf(b.kind))
    .map(({ at, kind, detail }) => ({ at: at.toISOString(), kind, detail }))
}

export const readExports = (db: Db) =>
  db
    .selectFrom("state.exports as file")
    .innerJoin("payload.exports as place", (join) =>
      join.onRef("place.export_no", "=", "file.export_no").onRef("place.revision", "=", "file.revision")
    )
    .select(["file.revision", "file.step", "file.format", "file.rows", "file.bytes", "file.sha256", "place.path"])
    .orderBy("file.revision")
    .orderBy("file.export_no")
    .execute()
