/** `control.duckdb`: an index of runs, incidents, and what is on its way to channels. Small, opened, committed and closed by each command. */
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
  "control.runs": {
    run: string
    job: string
    job_module: string
    logical_time: Date
    /** Why it was started: `manual` here; schedules say which. */
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
  }
}

const migrations: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `create table control.runs (run varchar not null, job varchar not null, job_module varchar not null, logical_time timestamptz not null, started_by varchar not null,
      trial boolean not null, status varchar not null, started_at timestamptz not null, ended_at timestamptz, sessions integer not null, manifest bigint,
      delivered bigint, dead bigint, review bigint, held bigint, skipped bigint, spent_usd double)`
  ],
  [...incidentStatements, ...outboxStatements]
]

export type RunIndexRow = ControlTables["control.runs"]

const one = Semaphore.makeUnsafe(1)

/** Opens the file, does one thing, and closes it: 20 ms. Waits up to 10 s while another command has it. */
export const withControl = <A, E>(
  folder: StateFolder,
  doing: string,
  query: (duck: Duck<ControlTables>) => Effect.Effect<A, E | StoreError>
): Effect.Effect<A, E | StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      // Locks are a process's: within one, two that have the file open would not see each other.
      yield* Effect.acquireRelease(one.take(1), () => one.release(1))
      const duck: Duck<ControlTables> = yield* openDuck({ attach: [{ name: "control", path: folder.control }], memoryMb: 100 })
      yield* migrate(duck, "control", folder.control, migrations)
      return yield* query(duck)
    })
  ).pipe(
    Effect.retry({
      while: isHeld,
      schedule: Schedule.max([Schedule.jittered(Schedule.spaced("50 millis")), Schedule.upTo(Schedule.forever, { times: 200 })])
    }),
    Effect.withSpan(`Control.${doing}`)
  )

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
