/** `control.duckdb`: an index of runs, incidents, messages on their way, decisions on items, who looked. Small, opened, committed and closed by each command. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"

import { isHeld, openDuck, type Duck } from "./duck.ts"
import { incidentStatements, type IncidentTables } from "./incident-table.ts"
import { migrate } from "./migrate.ts"
import { outboxStatements, type OutboxTables } from "./outbox-table.ts"
import type { StateFolder } from "./state-folder.ts"
import type { RunStatus } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

export interface ControlTables extends IncidentTables, OutboxTables {
  /** What steps reached on their labelled samples, one row an evaluation. */
  "control.evaluations": {
    job: string
    step: string
    /** Digest of prompt version, models and parameters. */
    subject: string
    prompt_version: string
    model: string
    labelled: number
    score: number
    score_min: number
    run: string
    evaluated_at: Date
  }
  "control.runs": {
    run: string
    job: string
    job_module: string
    logical_time: Date
    /** Why it was started: `manual` or `linked` here; schedules say which. */
    started_by: string
    trial: boolean
    status: RunStatus
    started_at: Date
    ended_at: Date | null
    sessions: number
    manifest: number | null
    delivered: number | null
    dead: number | null
    review: number | null
    held: number | null
    skipped: number | null
    spent_usd: number | null
    /** Of a linked run: whose items it takes up again. */
    origin: string | null
  }
  /** What people decided about items, one row an item. Never changed: a later row says what holds. Texts are in the run's folder. */
  "control.decisions": {
    decision: number
    decided_at: Date
    decided_by: string
    action: DecisionAction
    run: string
    job: string
    item_id: string
    /** `annotate`: the root cause, a slug. */
    cause: string | null
    /** `replay`, `accept`, `correct`: the run that takes the item up again. */
    linked_run: string | null
  }
  /** Who looked at content or decided about it, one row a command. */
  "control.access_log": {
    entry: number
    logged_at: Date
    who: string
    action: AccessAction
    /** Null where a selection spans runs. */
    run: string | null
    items: number
    /** How the items were chosen, without keys. */
    selection: string
    /** A slug; null where none was given or the reason is a text. */
    reason: string | null
  }
}

/** What a person can decide about an item that was stopped. */
export type DecisionAction = "annotate" | "discard" | "replay" | "accept" | "correct" | "reject"
export type AccessAction = DecisionAction | "list" | "show"

const migrations: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `create table control.runs (run varchar not null, job varchar not null, job_module varchar not null, logical_time timestamptz not null, started_by varchar not null,
      trial boolean not null, status varchar not null, started_at timestamptz not null, ended_at timestamptz, sessions integer not null, manifest bigint,
      delivered bigint, dead bigint, review bigint, held bigint, skipped bigint, spent_usd double)`
  ],
  [
    ...incidentStatements,
    ...outboxStatements,
    `alter table control.runs add column origin varchar`,
    `create table control.decisions (decision bigint not null, decided_at timestamptz not null, decided_by varchar not null, action varchar not null, run varchar not null,
      job varchar not null, item_id varchar not null, cause varchar, linked_run varchar)`,
    `create table control.access_log (entry bigint not null, logged_at timestamptz not null, who varchar not null, action varchar not null, run varchar, items bigint not null,
      selection varchar not null, reason varchar)`,
    `create table control.evaluations (job varchar not null, step varchar not null, subject varchar not null, prompt_version varchar not null,
      model varchar not null, labelled bigint not null, score double not null, score_min double not null, run varchar not null,
      evaluated_at timestamptz not null)`
  ]
]

export type RunIndexRow = ControlTables["control.runs"]

const one = Semaphore.makeUnsafe(1)

/** Opens the file, does one thing, and closes it: 20 ms. Waits up to 10 s while another command has it. */
export const withControl = <A, E = never>(
  folder: StateFolder,
  doing: string,
  query: (duck: Duck<ControlTables>) => Effect.Effect<A, StoreError | E>,
  memoryMb = 100
): Effect.Effect<A, StoreError | E> =>
  Effect.scoped(
    Effect.gen(function* () {
      // Locks are a process's: within one, two that have the file open would not see each other.
      yield* Effect.acquireRelease(one.take(1), () => one.release(1), { interruptible: true })
      const duck: Duck<ControlTables> = yield* openDuck({ attach: [{ name: "control", path: folder.control }], memoryMb })
      yield* migrate(duck, "control", folder.control, migrations)
      return yield* query(duck)
    })
  ).pipe(
    Effect.retry({
      while: (error) => isHeldAt(error, folder.control),
      schedule: Schedule.max([Schedule.jittered(Schedule.spaced("50 millis")), Schedule.upTo(Schedule.forever, { times: 200 })])
    }),
    Effect.withSpan(`Control.${doing}`)
  )

/** Another command has the file; one that has a run's files is somebody else's trouble. */
const isHeldAt = (error: unknown, file: string): boolean => isHeld(error) && error.path === file

/** Writes a run's line, new or changed; it began when its first line says. */
export const recordRun = (folder: StateFolder, row: RunIndexRow): Effect.Effect<void, StoreError> =>
  withControl(folder, "recordRun", (duck) =>
    duck.use("indexing the run", (db) =>
      db.transaction().execute(async (transaction) => {
        const known = await transaction.selectFrom("control.runs").select("started_at").where("run", "=", row.run).executeTakeFirst()
        await transaction.deleteFrom("control.runs").where("run", "=", row.run).execute()
        await transaction
          .insertInto("control.runs")
          .values({ ...row, started_at: known?.started_at ?? row.started_at })
          .execute()
      })
    )
  )

/** For a run that was refused before anything of it was written. */
export const forgetRun = (folder: StateFolder, run: string): Effect.Effect<void, StoreError> =>
  withControl(folder, "forgetRun", (duck) =>
    duck.use("forgetting a run that never began", (db) => db.deleteFrom("control.runs").where("run", "=", run).execute())
  )

/** All runs, newest first, at most `limit`. */
export const listRuns = (folder: StateFolder, limit: number): Effect.Effect<ReadonlyArray<RunIndexRow>, StoreError> =>
  withControl(folder, "listRuns", (duck) =>
    duck.use("listing runs", (db) =>
      db.selectFrom("control.runs").selectAll().orderBy("started_at", "desc").orderBy("run").limit(limit).execute()
    )
  )
