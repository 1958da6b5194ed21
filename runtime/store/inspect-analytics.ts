/** Tries what an analyst opens: the views over published Parquet. */
import { existsSync, readFileSync } from "node:fs"

import * as Effect from "effect/Effect"
import { sql } from "kysely"

import { identifier, openDuck, type Duck } from "./duck.ts"
import { fail, ok, type Finding } from "./finding.ts"
import { lineageFiles } from "./lineage-views.ts"
import { outputSqlFile } from "./output-views.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Reads a row of each view, as the files on disk define them. */
export const inspectAnalytics = Effect.fn("Doctor.analytics")(function* (folder: StateFolder) {
  const { sql: lineage, database } = lineageFiles(folder)
  const outputs = outputSqlFile(folder)
  if (!existsSync(lineage)) return [ok("analytics", "nothing is published yet")]
  return [
    yield* tried("lineage.sql", lineage, tryScript(lineage)),
    ...(existsSync(outputs) ? [yield* tried("outputs.sql", outputs, tryScript(outputs))] : []),
    yield* tried("lineage.duckdb", database, tryDatabase(database))
  ]
})

const tried = (subject: string, file: string, attempt: Effect.Effect<number, StoreError>): Effect.Effect<Finding> =>
  attempt.pipe(
    Effect.map((views) => ok(subject, `${views} views open`)),
    Effect.catch((error) => Effect.succeed(fail(subject, error.message, `the next run writes it anew: rm ${file}`)))
  )

const tryScript = (file: string): Effect.Effect<number, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const duck: Duck<unknown> = yield* openDuck({ attach: [], memoryMb: 200 })
      yield* duck.run(`reading ${file}`, readFileSync(file, "utf8"))
      return yield* lookAtEach(duck, file, "memory")
    })
  )

const tryDatabase = (file: string): Effect.Effect<number, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const duck: Duck<unknown> = yield* openDuck({ attach: [{ name: "lineage", path: file, readOnly: true }], memoryMb: 200 })
      return yield* lookAtEach(duck, file, "lineage")
    })
  )

const lookAtEach = (duck: Duck<unknown>, file: string, database: string): Effect.Effect<number, StoreError> =>
  duck.use(`reading ${file}`, async (db) => {
    const { rows } = await sql<{
      view_name: string
    }>`select view_name from duckdb_views() where database_name = ${database} and not internal`.execute(db)
    for (const { view_name } of rows) await sql.raw(`select * from ${database}.main.${identifier(view_name)} limit 1`).execute(db)
    return rows.length
  })
