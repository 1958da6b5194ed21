/** The views over published Parquet: as SQL for any DuckDB client, and as a small DuckDB file that holds them. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"

import { accessLogFile, accessLogView, decisionColumns, decisionViews } from "./decision-views.ts"
import { openDuck, quoted } from "./duck.ts"
import { copyTo, makeFolder, onDisk, ownPartOf, putIfAbsent, putInPlace, putText, type QueryRunner } from "./durable-file.ts"
import { publishedIncidents } from "./incident-table.ts"
import { lineageView, noRows, publishedTables, type PublishedTable } from "./lineage-tables.ts"
import { qualityViews } from "./quality-views.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Those of runs, and what `control.duckdb` publishes. */
const viewedTables: ReadonlyArray<PublishedTable> = [...publishedTables, publishedIncidents]

/** Paths of what an analyst opens. */
export const lineageFiles = ({ analytics }: StateFolder): { readonly sql: string; readonly database: string } => ({
  sql: path.join(analytics, "lineage.sql"),
  database: path.join(analytics, "lineage.duckdb")
})

/**
 * Writes `lineage.sql`, `lineage.duckdb` and an empty segment of each table, unless they say already what they should: then it is one
 * read. Two processes may do it at once.
 */
export const writeLineageViews = Effect.fn("Store.writeLineageViews")(function* (folder: StateFolder): Effect.fn.Return<void, StoreError> {
  const files = lineageFiles(folder)
  const text = lineageSql(folder)
  if (
    yield* onDisk(files.sql, () => fs.existsSync(files.database) && fs.existsSync(files.sql) && fs.readFileSync(files.sql, "utf8") === text)
  )
    return
  yield* Effect.scoped(
    Effect.gen(function* () {
      const duck = yield* openDuck({ attach: [], memoryMb: 100 })
      for (const { name, columns } of viewedTables) yield* writeEmptySegment(duck.db, path.join(folder.analytics, name), columns, 0o755)
      yield* writeEmptySegment(duck.db, path.join(folder.analytics, "decisions"), decisionColumns, 0o755)
      const log = accessLogFile(folder.analytics)
      yield* onDisk(log, () => fs.closeSync(fs.openSync(log, "a", 0o644)))
    })
  )
  yield* writeDatabase(files.database, text)
  // Last: while it stands as expected, so does the rest.
  yield* putText(files.sql, text, 0o644)
})

/** `create or replace view …` for each published table and the views over them, or for those of `names`, with absolute paths. */
export const lineageSql = ({ analytics }: StateFolder, names: ReadonlyArray<string> | null = null): string => {
  const decisions = readSegments(path.join(analytics, "decisions"), ["run", "job", ...decisionColumns.map(([column]) => column)].join(", "))
  const views: ReadonlyArray<readonly [name: string, query: string]> = [
    ...viewedTables.map((table) => [table.name, `\n  ${tableQuery(analytics, table)}`] as const),
    ["lineage", lineageView],
    ["decisions", `\n  ${decisions}`],
    ["access_log", accessLogView(analytics)],
    ...decisionViews,
    ...qualityViews
  ]
  const chosen = names === null ? views : views.filter(([name]) => names.includes(name))
  return `-- What nightshift's runs did, live. Read-only, no locks: open it with any DuckDB client as often as you like.
${chosen.map(([name, query]) => `create or replace view ${name} as${query};\n`).join("")}`
}

/** A table's Parquet as a query: `run` is read from the files, not from the folders' names. */
export const readSegments = (tableFolder: string, columns: string): string =>
  `select ${columns} from read_parquet(${quoted(path.join(literalGlob(tableFolder), "run=*", "*.parquet"))}, union_by_name = true, hive_partitioning = false)`

/** A folder whose name holds a glob's own characters still means itself. */
export const literalGlob = (folder: string): string => folder.replaceAll(/[[*?]/g, "[$&]")

const tableQuery = (analytics: string, { name, columns, cut, key }: PublishedTable): string => {
  const rows = readSegments(path.join(analytics, name), ["run", "job", ...columns.map(([column]) => column)].join(", "))
  return cut === null ? `${rows}\n  qualify row_number() over (partition by ${["run", ...key].join(", ")} order by version desc) = 1` : rows
}

/** A file without rows, under a name that says how many columns it knows: a later version adds its own beside it. */
export const writeEmptySegment = Effect.fnUntraced(function* (
  db: QueryRunner,
  tableFolder: string,
  columns: PublishedTable["columns"],
  mode: number
) {
  const file = path.join(tableFolder, "run=schema", `${String(columns.length + 2).padStart(6, "0")}.parquet`)
  if (fs.existsSync(file)) return
  const part = ownPartOf(file)
  yield* makeFolder(path.dirname(file), mode)
  yield* copyTo(db, part, noRows(columns))
  yield* putIfAbsent(part, file, mode & 0o666)
})

/** DuckDB's default storage, which clients from 1.0 on can open. Its owner can't write it either: a writing client would lock others out. */
const writeDatabase = Effect.fnUntraced(function* (file: string, text: string) {
  const part = ownPartOf(file)
  yield* onDisk(part, () => fs.rmSync(part, { force: true }))
  yield* Effect.scoped(
    Effect.gen(function* () {
      const duck = yield* openDuck({ attach: [{ name: "lineage", path: part }], memoryMb: 100 })
      yield* duck.run(`writing ${file}`, "use lineage", text, "use memory", "detach lineage")
    })
  )
  yield* putInPlace(part, file, 0o444)
})
