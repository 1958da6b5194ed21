/** DuckDB over what was published, for `runtime sql` and `trace`: reads while runs write, and holds no lock. */
import * as fs from "node:fs"

import * as DuckDb from "@duckdb/node-api"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import { toPlain } from "./dialect.ts"
import { openDuck, type Duck } from "./duck.ts"
import { onDisk } from "./durable-file.ts"
import { lineageSql, writeLineageViews } from "./lineage-views.ts"
import { ensureOutputViews, outputSqlFile } from "./output-views.ts"
import type { StateFolder } from "./state-folder.ts"
import { StoreError } from "./store-error.ts"

/** What a query gave. Cells are plain values: `Date` for timestamps, text for integers beyond 2^53. */
export interface QueryAnswer {
  /** In the query's order; a name that occurs twice has `:1` behind its second. */
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
}

/** More rows than anyone reads: a program that wants them all opens the views itself. */
const rowsMax = 100_000

/** An in-memory DuckDB with the lineage views, and the outputs views where this user may read them. */
export const openAnalytics = Effect.fn("Store.openAnalytics")(function* (
  folder: StateFolder
): Effect.fn.Return<Duck<unknown>, StoreError, Scope.Scope> {
  yield* writeLineageViews(folder)
  // Another user's folder: what may be read of it is seen below.
  yield* Effect.catchIf(
    ensureOutputViews(folder),
    (error) => error.reason === "read-only",
    () => Effect.void
  )
  const duck = yield* openDuck({ attach: [], memoryMb: 1_000 })
  yield* duck.run("reading the lineage views", lineageSql(folder))
  const outputs = yield* onDisk(outputSqlFile(folder), () => readIfAllowed(outputSqlFile(folder)))
  if (outputs !== null) yield* duck.run("reading the outputs views", outputs)
  return duck
})

const readIfAllowed = (file: string): string | null => {
  try {
    return fs.readFileSync(file, "utf8")
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EACCES")) return null
    throw error
  }
}

/** Runs one statement that only reads: SELECT, FROM, WITH, SHOW, DESCRIBE or SUMMARIZE. At most 100,000 rows. */
export const queryAnalytics = Effect.fn("Store.queryAnalytics")(function* (
  folder: StateFolder,
  query: string
): Effect.fn.Return<QueryAnswer, StoreError, Scope.Scope> {
  const { writer } = yield* openAnalytics(folder)
  return yield* Effect.tryPromise({
    try: () => runQuery(writer, query),
    catch: (cause) => {
      const text = cause instanceof Error ? cause.message : String(cause)
      return new StoreError({
        reason: "query",
        path: doing,
        detail: text.replace("Failed to extract statements: ", "").split("\n")[0] ?? "",
        holderPid: null
      })
    }
  })
}, Effect.scoped)

const doing =
  'it read what runs published; `runtime sql "show tables"` lists the tables, `runtime sql "describe lineage"` the columns of one'

const runQuery = async (connection: DuckDb.DuckDBConnection, query: string): Promise<QueryAnswer> => {
  const statements = await connection.extractStatements(query).catch((error: unknown) => {
    // DuckDB's own words for a text without a statement.
    if (error instanceof Error && error.message === "Error in native callback") throw new Error("There is no statement in it")
    throw error
  })
  if (statements.count !== 1) throw new Error(`${onlyReads}, and this is more than one. A PIVOT needs its IN list.`)
  const statement = await statements.prepare(0)
  if (statement.statementType !== DuckDb.StatementType.SELECT)
    throw new Error(`${onlyReads}, and this is ${DuckDb.StatementType[statement.statementType]}.`)
  const result = await statement.stream()
  const columns = result.deduplicatedColumnNames()
  const rows: Array<Readonly<Record<string, unknown>>> = []
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    if (rows.length + chunk.rowCount > rowsMax)
      throw new Error(`It gives more than ${rowsMax} rows: add a LIMIT, or open analytics/lineage.duckdb with a DuckDB client`)
    for (const row of chunk.getRows()) rows.push(Object.fromEntries(columns.map((name, index) => [name, cellOf(row[index])])))
  }
  return { columns, rows }
}

const onlyReads = "One statement that reads can be run here: SELECT, FROM, WITH, SHOW, DESCRIBE or SUMMARIZE"

const cellOf = (value: DuckDb.DuckDBValue | undefined): unknown => {
  const plain = toPlain(value)
  return typeof plain === "bigint" ? String(plain) : plain
}
