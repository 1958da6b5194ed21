/** Opens every run's files and the index of runs: what is damaged, what crashed, what waits to be resumed. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import { sql } from "kysely"

import { listRuns } from "./control.ts"
import { openDuck, type Duck } from "./duck.ts"
import { findRunNames } from "./find-run-names.ts"
import { fail, ok, warn, type Finding } from "./finding.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { RunFolder, StateFolder } from "./state-folder.ts"
import type { RunStatus } from "./state-tables.ts"
import { StoreError } from "./store-error.ts"

export interface InspectedRuns {
  readonly findings: ReadonlyArray<Finding>
  /** Runs that a process works on. */
  readonly held: ReadonlySet<string>
}

/** Reads each run's files, and changes none of them; one after the other, 20 ms each. */
export const inspectRuns = Effect.fn("Doctor.runs")(function* (folder: StateFolder) {
  const names = findRunNames(folder)
  const seen = yield* Effect.forEach(names, (name) => Effect.map(inspectRun(folder.run(name)), (state) => ({ name, state })), {
    concurrency: 1
  })
  const ofStatus = (...statuses: ReadonlyArray<RunState["status"]>) => seen.filter(({ state }) => statuses.includes(state.status))
  const counts = Map.groupBy(seen, ({ state }) => state.status)
  const resumable = ofStatus("interrupted", "failed", "cancelled")
  const summary = [...counts].map(([status, runs]) => `${runs.length} ${status}`).join(", ")
  const resume =
    resumable.length === 0
      ? ""
      : `; \`runtime resume\` goes on with ${resumable
          .slice(0, 3)
          .map(({ name }) => name)
          .join(", ")}${resumable.length > 3 ? " …" : ""}`
  const waiting = ofStatus("waiting").length === 0 ? "" : "; `runtime gates` says what waits for you"
  return {
    held: new Set(ofStatus("held").map(({ name }) => name)),
    findings: [
      ok("runs", names.length === 0 ? "none yet" : `${names.length}: ${summary}${resume}${waiting}`),
      ...seen.flatMap(({ name, state }) => findingsOf(name, folder.run(name), state))
    ]
  } satisfies InspectedRuns
})

/** Whether the index opens; it is made by the first run. */
export const inspectControl = (folder: StateFolder): Effect.Effect<Finding> => {
  if (!existsSync(folder.control)) return Effect.succeed(ok("control.duckdb", "not there yet: the first run makes it"))
  return listRuns(folder, 1).pipe(
    Effect.as(ok("control.duckdb", "opens")),
    Effect.catch((error) =>
      Effect.succeed(
        error.reason === "held"
          ? ok("control.duckdb", `in use by process ${error.holderPid}`)
          : fail(
              "control.duckdb",
              error.message,
              `runs don't need it. Put it aside, and the next command makes a new one, which knows only of later runs: mv ${folder.control} ${folder.control}.broken`
            )
      )
    )
  )
}

interface RunState {
  readonly status:
    | Exclude<RunStatus, "running" | "preparing">
    | "crashed"
    | "held"
    | "empty"
    | "damaged"
    | "without payload"
    | "without state"
  readonly error: StoreError | null
}

const inspectRun = (run: RunFolder): Effect.Effect<RunState> => {
  // Made in this order: a payload alone is what is left of a run that had both.
  if (!existsSync(run.state)) return Effect.succeed({ status: existsSync(run.payload) ? "without state" : "empty", error: null })
  if (!existsSync(run.payload)) return Effect.succeed({ status: "without payload", error: null })
  return Effect.scoped(
    Effect.gen(function* () {
      const duck: Duck<LedgerTables> = yield* openDuck({
        attach: [
          { name: "state", path: run.state, readOnly: true },
          { name: "payload", path: run.payload, readOnly: true }
        ],
        memoryMb: 100
      })
      return yield* duck.use(`looking at ${run.root}`, async (db) => {
        // Killed before its tables were made, a run has cost nothing.
        const { rows } = await sql<{
          tables: number
        }>`select count(*) as tables from duckdb_tables() where database_name = 'state' and table_name = 'run'`.execute(db)
        if ((rows[0]?.tables ?? 0) === 0) return "crashed"
        await sql`select count(*) from payload.items`.execute(db)
        const row = await db.selectFrom("state.run").select("status").executeTakeFirst()
        return row === undefined || row.status === "running" || row.status === "preparing" ? "crashed" : row.status
      })
    })
  ).pipe(
    Effect.map((status) => ({ status, error: null })),
    Effect.catch((error) => Effect.succeed({ status: error.reason === "held" ? ("held" as const) : ("damaged" as const), error }))
  )
}

const findingsOf = (name: string, { root, state, payload }: RunFolder, { status, error }: RunState): ReadonlyArray<Finding> => {
  switch (status) {
    case "crashed":
      return [warn(name, "its process died; everything that was committed is safe", `runtime resume ${name}`)]
    case "empty":
      return [warn(name, "has no state.duckdb: it was killed before it wrote anything", `rm -r ${root}`)]
    case "without state":
      return [
        fail(
          name,
          `has no ${state}: its checkpoints are lost; its inputs and answers are there`,
          `keep a copy of ${root}, put state.duckdb back from a backup and \`runtime resume ${name}\`: what an older one lacks is done again. Without one: what was published is in \`runtime sql\`, the rest is to run again`
        )
      ]
    case "without payload":
      return [
        warn(
          name,
          `has no ${payload}: its inputs and answers are gone, its lineage is there`,
          "nothing, if they were purged; otherwise restore the file from a backup"
        )
      ]
    case "damaged":
      return [
        fail(
          name,
          error?.message ?? "can't be read",
          `keep a copy of ${root} before anything else; other runs aren't touched by it. Restore it from a backup, or run the job again`
        )
      ]
    default:
      return []
  }
}
