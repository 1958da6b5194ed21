/** What a run is doing now: from its own file, or from the snapshot beside it while a process holds that file. */
import { existsSync, readFileSync } from "node:fs"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { sql, type Kysely } from "kysely"

import { openDuck, type Duck } from "./duck.ts"
import { isOverdue } from "./gate-expiry.ts"
import { readHolder, type Holder } from "./holder.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { readGates } from "./money-ledger.ts"
import type { RunFolder } from "./state-folder.ts"
import type { RunStatus } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

const Dispositions = Schema.Struct({
  delivered: Schema.Finite,
  dead: Schema.Finite,
  review: Schema.Finite,
  held: Schema.Finite,
  skipped: Schema.Finite
})
/** Snapshots of older versions have none. */
const InstantText = Schema.NullOr(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))
const Snapshot = Schema.Struct({
  job: Schema.String,
  phase: Schema.String,
  rows: Schema.Finite,
  manifest: Schema.Finite,
  committed: Schema.Finite,
  dispositions: Dispositions,
  spentUsd: Schema.Finite,
  perSecond: Schema.NullOr(Schema.Finite),
  remainingSeconds: Schema.NullOr(Schema.Finite),
  deadline: InstantText,
  etaAt: InstantText,
  etaLow: InstantText,
  etaHigh: InstantText,
  workers: Schema.NullOr(Schema.Finite).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null))),
  trouble: Schema.NullOr(Schema.String)
})
const decodeSnapshot = Schema.decodeUnknownOption(Schema.fromJsonString(Snapshot))

export interface RunNow {
  readonly run: string
  readonly job: string
  /** `crashed`: its process died without a word; `runtime resume` goes on. */
  readonly status: RunStatus | "crashed"
  readonly phase: string | null
  readonly manifest: number
  readonly committed: number
  readonly dispositions: typeof Dispositions.Type
  readonly spentUsd: number
  readonly perSecond: number | null
  readonly remainingSeconds: number | null
  /** ISO 8601: by when it must be done, when that is expected, and within which bounds. */
  readonly deadline: string | null
  readonly etaAt: string | null
  readonly etaLow: string | null
  readonly etaHigh: string | null
  readonly workers: number | null
  readonly trouble: string | null
  /** The gate that waits for a person. */
  readonly gate: string | null
  /** The process that works on it. */
  readonly holder: Holder | null
}

/** Null for a folder without a run. Never waits for the run's process, never disturbs it. */
export const readRunStatus = Effect.fn("Store.readRunStatus")(function* (
  folder: RunFolder,
  run: string
): Effect.fn.Return<RunNow | null, StoreError> {
  if (!existsSync(folder.state)) return null
  return yield* Effect.catchIf(
    readAtRest(folder, run),
    (error) => error.reason === "held",
    () => Effect.sync(() => readLive(folder, run))
  )
})

const readLive = (folder: RunFolder, run: string): RunNow => {
  const holder = Option.getOrNull(readHolder(folder))
  const seen = existsSync(folder.progress) ? Option.getOrNull(decodeSnapshot(readFileSync(folder.progress, "utf8"))) : null
  const unknown = {
    job: "",
    phase: "starting",
    rows: 0,
    manifest: 0,
    committed: 0,
    dispositions: none,
    spentUsd: 0,
    perSecond: null,
    remainingSeconds: null,
    ...noEta,
    trouble: null
  }
  return { run, status: "running", gate: null, holder, ...(seen ?? unknown) }
}

const noEta = { deadline: null, etaAt: null, etaLow: null, etaHigh: null, workers: null }

const PlanTime = Schema.fromJsonString(Schema.Struct({ schedule: Schema.NullOr(Schema.Struct({ withinMs: Schema.Finite })) }))

/** A run at rest has one too: its time goes on. */
const deadlineOf = ({ plan, created_at, item_limit }: { plan: string; created_at: Date; item_limit: number | null }): string | null => {
  const { schedule } = Option.getOrElse(Schema.decodeOption(PlanTime)(plan), () => ({ schedule: null }))
  return schedule === null || item_limit !== null ? null : new Date(created_at.getTime() + schedule.withinMs).toISOString()
}

const none = { delivered: 0, dead: 0, review: 0, held: 0, skipped: 0 }

const readAtRest = (folder: RunFolder, run: string): Effect.Effect<RunNow | null, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const duck: Duck<LedgerTables> = yield* openDuck({ attach: [{ name: "state", path: folder.state }], memoryMb: 100 })
      return yield* duck.use("reading the run's status", async (db) => {
        const { rows: tables } = await sql<{
          name: string
        }>`select table_name as name from duckdb_tables() where database_name = 'state'`.execute(db)
        const has = (table: string): boolean => tables.some(({ name }) => name === table)
        const row = has("run") ? await db.selectFrom("state.run").selectAll().executeTakeFirst() : undefined
        if (row === undefined) return null
        const { rows } = await sql<{ manifest: number }>`select count(*) as manifest from state.manifest`.execute(db)
        const ended = await sql<{ worst: string; items: number }>`select worst, count(*) as items from (
          select arg_max(disposition, case disposition when 'dead' then 4 when 'review' then 3 when 'held' then 2 when 'skipped' then 1 else 0 end) as worst
          from state.checkpoints where disposition is not null group by seq) group by worst`.execute(db)
        const dispositions = { ...none, ...Object.fromEntries(ended.rows.map(({ worst, items }) => [worst, items])) }
        const status: RunNow["status"] = row.status === "running" || row.status === "preparing" ? "crashed" : row.status
        return {
          run,
          job: row.job,
          status,
          phase: null,
          manifest: rows[0]?.manifest ?? 0,
          committed: Object.values(dispositions).reduce((sum, items) => sum + items, 0),
          dispositions,
          spentUsd: row.spent_usd,
          perSecond: null,
          remainingSeconds: null,
          ...noEta,
          deadline: deadlineOf(row),
          trouble: null,
          // Files of older versions have none.
          gate: has("gates") && row.status !== "done" ? await openGate(db, now) : null,
          holder: null
        }
      })
    })
  )

/** One that expired waits for nobody: the next session closes the run. */
const openGate = async (db: Kysely<LedgerTables>, now: number): Promise<string | null> =>
  (await readGates(db)).find((gate) => gate.decision === null && !isOverdue(gate, now))?.gate ?? null
