/** What a run came to, and how a session on it ended. */
import { sql, type Kysely } from "kysely"

import type { LedgerTables } from "./ledger-tables.ts"
import { settleMoney } from "./money-ledger.ts"
import type { RunStatus } from "./state-tables.ts"

type Db = Kysely<LedgerTables>

/** Replaces an aggregate's values. */
export const replaceSummary = async (db: Db, step: string, summary: string): Promise<void> => {
  await db.deleteFrom("payload.summaries").where("step", "=", step).execute()
  await db.insertInto("payload.summaries").values({ step, summary }).execute()
}

/** Replaces a report step's text. */
export const replaceReport = async (db: Db, step: string, report: string): Promise<void> => {
  await db.deleteFrom("payload.reports").where("step", "=", step).execute()
  await db.insertInto("payload.reports").values({ step, report }).execute()
}

export interface RunEnd {
  readonly session: number
  readonly status: RunStatus
  readonly failure: string | null
  /** JSON of the dispositions; null leaves what stands there. */
  readonly closing: string | null
  readonly endedAt: Date
  /** What the session's calls drew; null where that isn't known, and then all that was granted to it counts. */
  readonly drawnUsd: number | null
}

/** Ends a session, and the run with it. */
export const endRun = async (db: Db, { session, status, failure, closing, endedAt, drawnUsd }: RunEnd): Promise<void> => {
  await db.updateTable("state.sessions").set({ ended_at: endedAt }).where("session", "=", session).execute()
  if (drawnUsd !== null) await settleMoney(db, session, drawnUsd)
  await db
    .updateTable("state.run")
    .set({
      status,
      failure,
      ended_at: endedAt,
      spent_usd: sql<number>`(select coalesce(sum(cost_usd), 0) from state.attempts)`,
      ...(closing === null ? {} : { closing })
    })
    .execute()
}
