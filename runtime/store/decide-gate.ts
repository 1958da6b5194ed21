/** Gates of runs: which wait for a person, and what the person says. A decision is a row in the run's own file, written while no process works on it. */
import { existsSync } from "node:fs"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { sql, type Kysely } from "kysely"

import { openDuck, type Duck } from "./duck.ts"
import { findRunNames } from "./find-run-names.ts"
import { isOverdue } from "./gate-expiry.ts"
import type { Money } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { readMoney } from "./money-ledger.ts"
import type { StateFolder } from "./state-folder.ts"
import type { GateDecision, GateKind, RunStatus } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

/** A gate as people see it. */
export interface ListedGate {
  /** `<run>.<number>` */
  readonly gate: string
  readonly run: string
  readonly runStatus: RunStatus
  readonly kind: GateKind
  readonly detail: unknown
  readonly openedAt: Date
  /** When it counts as rejected if nobody has decided; null for never. */
  readonly expiresAt: Date | null
  readonly decision: GateDecision | null
  readonly decidedAt: Date | null
  readonly decidedBy: string | null
  readonly addUsd: number | null
  readonly note: string | null
}

export interface ListedGates {
  /** Of runs that no process works on, newest run first. */
  readonly gates: ReadonlyArray<ListedGate>
  /** Runs whose file could not be looked at. */
  readonly skipped: ReadonlyArray<{ readonly run: string; readonly why: string }>
}

export interface Decision {
  readonly gate: string
  readonly decision: Extract<GateDecision, "approved" | "rejected">
  readonly by: string
  readonly addUsd: number | null
  readonly note: string | null
}

export class GateNotFound extends Schema.TaggedError<GateNotFound>()("GateNotFound", { gate: Schema.String, state: Schema.String }) {
  override get message(): string {
    return `There is no gate "${this.gate}" in ${this.state}. List them with \`runtime gates\`, or name another folder with --state DIR.`
  }
}

/** It was decided, it expired, or its run ended without it. */
export class GateNotOpen extends Schema.TaggedError<GateNotOpen>()("GateNotOpen", {
  gate: Schema.String,
  run: Schema.String,
  /** The end of the sentence "gate G was …". */
  outcome: Schema.String,
  isRunDone: Schema.Boolean,
  /** Whether the run only comes to its end. */
  isOver: Schema.Boolean
}) {
  override get message(): string {
    const next = this.isRunDone
      ? `\`runtime report ${this.run}\` says what it came to.`
      : this.isOver
        ? `\`runtime resume ${this.run}\` holds back what is open, and closes the run.`
        : `\`runtime resume ${this.run}\` goes on.`
    return `Gate ${this.gate} was ${this.outcome}. Nothing was changed; ${next}`
  }
}

/** All gates that any run ever had. Never waits for a run's process, never disturbs it. */
export const listGates = Effect.fn("Store.listGates")(function* (folder: StateFolder): Effect.fn.Return<ListedGates> {
  const gates: Array<ListedGate> = []
  const skipped: Array<ListedGates["skipped"][number]> = []
  for (const run of findRunNames(folder)) {
    const found = yield* Effect.result(onState(folder, run, readListed))
    if (found._tag === "Success") gates.push(...(found.success ?? []))
    else skipped.push({ run, why: found.failure.reason === "held" ? "a process works on it" : found.failure.message })
  }
  return { gates, skipped }
})

/** The gates of one run, oldest first. */
export const listRunGates = Effect.fn("Store.listRunGates")(function* (
  folder: StateFolder,
  run: string
): Effect.fn.Return<ReadonlyArray<ListedGate>, StoreError> {
  return (yield* onState(folder, run, readListed)) ?? []
})

/** A gate, and the money of its run as it stands. */
export const findGate = Effect.fn("Store.findGate")(function* (
  folder: StateFolder,
  gate: string
): Effect.fn.Return<{ readonly gate: ListedGate; readonly money: Money }, StoreError | GateNotFound> {
  const found = yield* onState(folder, runOf(gate), async (db) => {
    const listed = (await readListed(db)).find((each) => each.gate === gate)
    return listed === undefined ? null : { gate: listed, money: await readMoney(db, allSessions) }
  })
  return found ?? (yield* new GateNotFound({ gate, state: folder.root }))
})

/** Writes what was decided. Fails with reason `held` while a process works on the run, and with `GateNotOpen` where there is nothing to decide. */
export const decideGate = Effect.fn("Store.decideGate")(function* (
  folder: StateFolder,
  decision: Decision
): Effect.fn.Return<ListedGate, StoreError | GateNotFound | GateNotOpen> {
  const { gate } = decision
  const decidedAt = new Date(yield* Clock.currentTimeMillis)
  const decide = async (db: Kysely<LedgerTables>) => {
    const before = (await readListed(db)).find((each) => each.gate === gate)
    if (before === undefined || before.decision !== null || before.runStatus === "done" || isOverdue(before, decidedAt.getTime()))
      return { before, after: undefined }
    await db
      .updateTable("state.gates")
      .set({
        decision: decision.decision,
        decided_at: decidedAt,
        decided_by: decision.by,
        add_usd: decision.addUsd,
        note: decision.note
      })
      .where("gate", "=", gate)
      .execute()
    return { before, after: (await readListed(db)).find((each) => each.gate === gate) }
  }
  const found = yield* onState(folder, runOf(gate), decide, true)
  if (found?.before === undefined) return yield* new GateNotFound({ gate, state: folder.root })
  if (found.after !== undefined) return found.after
  const { run, runStatus } = found.before
  const isOver = isOverdue(found.before, decidedAt.getTime()) || isNo(found.before.decision)
  return yield* new GateNotOpen({
    gate,
    run,
    outcome: outcomeOf(found.before, decidedAt.getTime()),
    isRunDone: runStatus === "done",
    isOver
  })
})

const isNo = (decision: GateDecision | null): boolean => decision === "rejected" || decision === "expired"

const outcomeOf = (gate: ListedGate, now: number): string => {
  const { decision, decidedBy, decidedAt, expiresAt } = gate
  if (isOverdue(gate, now) || decision === "expired") return `not decided by ${minuteOf(expiresAt)}, which counts as rejected`
  if (decision === null) return "never decided, and its run is done"
  if (decision === "withdrawn") return `withdrawn at ${minuteOf(decidedAt)}: what it asked no longer arises`
  return `${decision} by ${decidedBy} at ${minuteOf(decidedAt)}`
}

const minuteOf = (at: Date | null): string => `${at?.toISOString().slice(0, 16).replace("T", " ")} UTC`

const allSessions = 2_147_483_647

/** `<run>.<number>`; of anything else a run that isn't there. */
const runOf = (gate: string): string => /^([A-Za-z0-9_-][A-Za-z0-9._-]*)\.\d+$/.exec(gate)?.[1] ?? ""

/** Null where there is no such run, or its file is older than gates. */
const onState = <A>(
  folder: StateFolder,
  run: string,
  work: (db: Kysely<LedgerTables>) => Promise<A>,
  outwaitsLookers = false
): Effect.Effect<A | null, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { state } = folder.run(run)
      if (run === "" || !existsSync(state)) return null
      const duck: Duck<LedgerTables> = yield* openDuck({ attach: [{ name: "state", path: state }], memoryMb: 100, outwaitsLookers })
      return yield* duck.use("looking at gates", async (db) => {
        const { rows } = await sql<{
          tables: number
        }>`select count(*) as tables from duckdb_tables() where database_name = 'state' and table_name in ('run', 'gates')`.execute(db)
        return rows[0]?.tables === 2 ? await work(db) : null
      })
    })
  )

const readListed = async (db: Kysely<LedgerTables>): Promise<ReadonlyArray<ListedGate>> => {
  const run = await db.selectFrom("state.run").select(["run", "status"]).executeTakeFirst()
  if (run === undefined) return []
  const rows = await db.selectFrom("state.gates").selectAll().orderBy("opened_at").orderBy("gate").execute()
  return rows.map((row) => ({
    gate: row.gate,
    run: run.run,
    runStatus: run.status,
    kind: row.kind,
    detail: JSON.parse(row.detail) as unknown,
    openedAt: row.opened_at,
    // Files of older versions lack the column.
    expiresAt: row.expires_at ?? null,
    decision: row.decision,
    decidedAt: row.decided_at,
    decidedBy: row.decided_by,
    addUsd: row.add_usd,
    note: row.note
  }))
}
