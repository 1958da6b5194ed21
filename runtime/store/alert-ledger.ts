/** Alerts and events of a run on disk. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Kysely } from "kysely"

import { canonicalJson } from "../../dsl/index.ts"
import type { AlertLedger, AlertRecord } from "./alert-record.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { OpenRun } from "./open-run.ts"
import type { StoreError } from "./store-error.ts"

type Db = Kysely<LedgerTables>

export const alertsOn = (run: OpenRun): AlertLedger => {
  const { duck, patience } = run
  const write = <A>(doing: string, work: (db: Db) => Promise<A>): Effect.Effect<A, StoreError> =>
    patience.waitOut(run.exclusively(Effect.uninterruptible(duck.use(doing, (db) => db.transaction().execute(work)))))
  const now = Effect.map(Clock.currentTimeMillis, (ms) => new Date(ms))
  return {
    raiseAlert: (kind, detail, words) =>
      Effect.flatMap(now, (raisedAt) => {
        let isOurs = false
        return write("raising an alert", async (db) => {
          const known = await db.selectFrom("state.alerts").select("kind").where("kind", "=", kind).executeTakeFirst()
          // A commit that is told as failed may be durable: the row that a repeated try finds is then its own.
          if (known !== undefined) return isOurs
          isOurs = true
          await db
            .insertInto("state.alerts")
            .values({
              kind,
              detail: canonicalJson(detail),
              raised_at: raisedAt,
              severity: words?.severity ?? null,
              text: words?.text ?? null,
              consumers_text: words?.consumersText ?? null,
              opens_incident: words?.opensIncident ?? null
            })
            .execute()
          return true
        })
      }),
    alerts: duck.use("reading alerts", readAlerts),
    noteEvent: (kind, detail) =>
      Effect.flatMap(now, (at) =>
        write("noting an event", async (db) => {
          const { last } = await db
            .selectFrom("state.events")
            .select(({ fn }) => fn.max("event").as("last"))
            .executeTakeFirstOrThrow()
          await db
            .insertInto("state.events")
            .values({ event: (last ?? 0) + 1, kind, detail: canonicalJson(detail), happened_at: at })
            .execute()
        })
      ),
    events: duck.use("reading events", (db) =>
      db.selectFrom("state.events").select(["kind", "detail", "happened_at as at"]).orderBy("event").execute()
    )
  }
}

const readAlerts = async (db: Db): Promise<ReadonlyArray<AlertRecord>> => {
  const rows = await db.selectFrom("state.alerts").selectAll().orderBy("raised_at").orderBy("kind").execute()
  return rows.map(({ kind, detail, raised_at, severity, text, consumers_text, opens_incident }) => ({
    kind,
    detail,
    raisedAt: raised_at,
    words:
      severity === null || text === null ? null : { severity, text, consumersText: consumers_text, opensIncident: opens_incident ?? false }
  }))
}
