/** Money and gates of a run on disk. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { sql, type Kysely } from "kysely"

import { canonicalJson } from "../../dsl/index.ts"
import { isAccountedFor } from "./costs.ts"
import { expiryOf } from "./gate-expiry.ts"
import type { GateRecord, LedgerShape, Money } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { OpenRun } from "./open-run.ts"
import type { GateKind } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

type Db = Kysely<LedgerTables>

/** The parts of a ledger that keep a run within its budget. */
export const moneyOn = (run: OpenRun): Pick<LedgerShape, "money" | "grant" | "openGate" | "withdrawGate" | "gates"> => {
  const { duck, patience } = run
  const write = <A>(doing: string, work: (db: Db) => Promise<A>): Effect.Effect<A, StoreError> =>
    patience.waitOut(run.exclusively(Effect.uninterruptible(duck.use(doing, (db) => db.transaction().execute(work)))))
  const now = Effect.map(Clock.currentTimeMillis, (ms) => new Date(ms))
  return {
    money: duck.use("reading what was spent", (db) => readMoney(db, run.session)),
    grant: (usd) => write("granting money", (db) => replaceGrant(db, run.session, usd)),
    openGate: (kind, detail) =>
      Effect.flatMap(now, (openedAt) => {
        const opening = { kind, detail: canonicalJson(detail), openedAt, expiresAt: expiryOf(openedAt, run.options.plan) }
        return write("opening a gate", (db) => findOrOpenGate(db, opening))
      }),
    withdrawGate: (kind) => Effect.flatMap(now, (at) => write("closing a gate", (db) => withdrawOpenGate(db, kind, at))),
    gates: duck.use("reading gates", readGates)
  }
}

const replaceGrant = async (db: Db, session: number, usd: number): Promise<void> => {
  await db.deleteFrom("state.money").where("session", "=", session).execute()
  await db.insertInto("state.money").values({ session, granted_usd: usd, is_settled: false }).execute()
}

/** What a run may spend, and has, as `session` finds it at its start. */
export const readMoney = async (db: Db, session: number): Promise<Money> => {
  const { rows } = await sql<Money>`select
    (select any_value(budget_usd) from state.run) + coalesce((select sum(add_usd) from state.gates where decision = 'approved'), 0) as "envelopeUsd",
    coalesce((select sum(cost_usd) from state.attempts), 0) as "spentUsd",
    coalesce((select sum(greatest(0, granted_usd - coalesce(usd, 0))) from state.money left join ${paidBySession} using (session)
      where not is_settled and session < ${session}), 0) as "uncertainUsd",
    coalesce((select sum(reserved_usd) from state.batches where status in ('intended', 'live', 'ended', 'ingested')), 0) as "batchUsd"`.execute(
    db
  )
  return rows[0] ?? { envelopeUsd: 0, spentUsd: 0, uncertainUsd: 0, batchUsd: 0 }
}

/** What durable attempts of calls in real time cost, by session: those that drew on its grant. */
const paidBySession = sql`(select session, sum(cost_usd) as usd from state.attempts where tier = 'realtime' group by session) paid`

/**
 * A session ended by itself, and its calls drew `drawnUsd`. What of that is in no durable attempt, because a call was interrupted or its
 * settlement never got here, stays uncertain; nothing else does.
 */
export const settleMoney = async (db: Db, session: number, drawnUsd: number): Promise<void> => {
  const { rows } = await sql<{ usd: number }>`select usd from ${paidBySession} where session = ${session}`.execute(db)
  await db
    .updateTable("state.money")
    .set({ granted_usd: drawnUsd, is_settled: isAccountedFor(drawnUsd, rows[0]?.usd ?? 0) })
    .where("session", "=", session)
    .execute()
}

/** Oldest first. */
export const readGates = async (db: Db): Promise<ReadonlyArray<GateRecord>> => {
  // Files of older versions lack the later columns.
  const rows = await db.selectFrom("state.gates").selectAll().orderBy("opened_at").orderBy("gate").execute()
  return rows.map(({ gate, kind, detail, opened_at, expires_at = null, decision, add_usd }) => ({
    gate,
    kind,
    detail,
    openedAt: opened_at,
    expiresAt: expires_at,
    decision,
    addUsd: add_usd
  }))
}

/** A gate at which nobody decided in time counts as rejected from now on. */
export const expireGates = async (db: Db, now: Date): Promise<void> => {
  await db
    .updateTable("state.gates")
    .set({ decision: "expired", decided_at: now })
    .where("decision", "is", null)
    .where("expires_at", "<=", now)
    .execute()
}

/** Closes the open gate of a kind without an answer. */
export const withdrawOpenGate = async (db: Db, kind: GateKind, now: Date): Promise<void> => {
  await db
    .updateTable("state.gates")
    .set({ decision: "withdrawn", decided_at: now })
    .where("kind", "=", kind)
    .where("decision", "is", null)
    .execute()
}

/** Opens a gate, or finds the one of that kind that is open. */
export const findOrOpenGate = async (
  db: Db,
  { kind, detail, openedAt, expiresAt }: Pick<GateRecord, "kind" | "detail" | "openedAt" | "expiresAt">
): Promise<GateRecord> => {
  const known = await readGates(db)
  const open = known.find((gate) => gate.kind === kind && gate.decision === null)
  if (open !== undefined) {
    // The same wait, seen again: the figures are today's.
    await db.updateTable("state.gates").set({ detail }).where("gate", "=", open.gate).execute()
    return { ...open, detail }
  }
  const { run } = await db.selectFrom("state.run").select("run").executeTakeFirstOrThrow()
  const gate = `${run}.${known.length + 1}`
  await db
    .insertInto("state.gates")
    .values({
      gate,
      kind,
      detail,
      opened_at: openedAt,
      decision: null,
      decided_at: null,
      decided_by: null,
      add_usd: null,
      note: null,
      expires_at: expiresAt
    })
    .execute()
  return { gate, kind, detail, openedAt, expiresAt, decision: null, addUsd: null }
}
