/** What consumers are told of a release: whether all of it is there, and in time. */
import * as Effect from "effect/Effect"

import type { Plan } from "../../dsl/index.ts"
import type { DuckLedger } from "./ledger-duckdb.ts"
import { readCompleteness } from "./read-ledger.ts"
import type { StoreError } from "./store-error.ts"

/** Facts of a run that is to be released, or was. */
export interface ReleaseFacts {
  readonly isTrial: boolean
  readonly releasedAt: Date | null
  readonly createdAt: Date
  readonly logicalTime: Date
  /** Items by what became of them, with `manifest`, and rows that became none. */
  readonly counts: Readonly<Record<"manifest" | "rejected" | "delivered" | "dead" | "review" | "held" | "skipped", number>>
  readonly alerts: ReadonlyArray<{ readonly kind: string; readonly at: Date }>
}

export const readRelease = ({ duck }: DuckLedger, plan: Plan): Effect.Effect<ReleaseFacts, StoreError> =>
  duck.use("reading what was released", async (db) => {
    const run = await db
      .selectFrom("state.run")
      .select(["item_limit", "released_at", "created_at", "logical_time"])
      .executeTakeFirstOrThrow()
    const { rowsRead, manifest, dispositions } = await readCompleteness(db, plan)
    const alerts = await db.selectFrom("state.alerts").select(["kind", "raised_at as at"]).orderBy("raised_at").execute()
    return {
      isTrial: run.item_limit !== null,
      releasedAt: run.released_at,
      createdAt: run.created_at,
      logicalTime: run.logical_time,
      counts: { manifest, rejected: rowsRead - manifest, ...dispositions },
      alerts
    }
  })
