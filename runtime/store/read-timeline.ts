/** What happened in a run, moment by moment, and what was written for its consumers. */
import { sql, type Kysely } from "kysely"

import type { LedgerTables } from "./ledger-tables.ts"

type Db = Kysely<LedgerTables>

/** In the order of one instant's events as well: nothing ends before it began. */
const kinds = [
  "began",
  "sealed",
  "resumed",
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
  const { rows } = await sql<{ at: Date; kind: (typeof kinds)[number]; detail: string | null }>`
    select created_at as at, 'began' as kind, null as detail from state.run
    union all select sealed_at, 'sealed', null from state.run
    union all select started_at, 'resumed', null from state.sessions where session > (select min(session) from state.sessions)
    union all select raised_at, 'alert', kind from state.alerts
    union all select opened_at, 'gate-opened', kind from state.gates
    union all select decided_at, 'gate-' || decision, kind from state.gates where decision is not null
    union all select released_at, 'released', null from state.run
    union all select max(exported_at), 'exported', null from state.exports group by revision
    union all select ended_at, 'ended', status from state.run`.execute(db)
  return rows
    .filter(({ at }) => at !== null)
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
