/** What consumers are told of a release: whether all of it is there, and in time. */
import * as Effect from "effect/Effect"
import { sql } from "kysely"

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

/** `earlier`: the attached states of the runs that a linked run's release adds to, oldest first. Each item counts as its newest run has it. */
export const readRelease = (
  { duck }: DuckLedger,
  plan: Plan,
  earlier: ReadonlyArray<string> = []
): Effect.Effect<ReleaseFacts, StoreError> =>
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
      counts:
        earlier.length === 0 ? { manifest, rejected: rowsRead - manifest, ...dispositions } : await countNow(db, [...earlier, "state"]),
      alerts
    }
  })

const order = ["delivered", "skipped", "held", "review", "dead"] as const

/** The origin's items and rejected rows, and what became of them by now. */
const countNow = async (db: DuckLedger["duck"]["db"], states: ReadonlyArray<string>): Promise<ReleaseFacts["counts"]> => {
  const ranked = `max(list_position(['${order.join("', '")}'], disposition))`
  const placed = states.map(
    (state, age) =>
      `select ${age} as age, item_id, ${ranked} as worst from ${state}.checkpoints where disposition is not null group by item_id`
  )
  const origin = states[0] ?? "state"
  const { rows } = await sql<ReleaseFacts["counts"]>`
    with newest as (select item_id, arg_max(worst, age) as worst from (${sql.raw(placed.join(" union all "))}) group by item_id)
    select (select count(*) from ${sql.raw(origin)}.manifest) as manifest, (select count(*) from ${sql.raw(origin)}.rejections) as rejected,
      ${sql.raw(order.map((name, index) => `count(*) filter (worst = ${index + 1}) as ${name}`).join(", "))} from newest`.execute(db)
  return rows[0] ?? { manifest: 0, rejected: 0, delivered: 0, dead: 0, review: 0, held: 0, skipped: 0 }
}
