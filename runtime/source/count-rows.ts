/** How many rows a source has in all, where that can be told without reading every one of them. */
import * as fs from "node:fs"

import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { RunContext, SourceDefinition } from "../../dsl/index.ts"
import { findFiles, type FoundFile } from "./find-files.ts"
import type { Place, SourceRow } from "./source-item.ts"

/** What was read of a source before it was left. */
export interface ReadSoFar {
  readonly rows: number
  /** Of the last row. */
  readonly place: Place
}

/**
 * Counts what DuckDB can count and what is one file a row; rows of text are reckoned from the bytes read so far. Null where nothing
 * tells: an Effect Stream, text of which no row was read.
 */
export const countRows = Effect.fn("Source.countRows")(function* (
  definition: SourceDefinition,
  context: RunContext,
  soFar: ReadSoFar | null
) {
  const { format } = definition
  const location: unknown = typeof definition.location === "function" ? definition.location(context) : definition.location
  if (format === "stream") return null
  if (format === "sql") return yield* countedByDuck(String(location))
  const files = yield* findFiles(format, (Array.isArray(location) ? location : [location]).map(String))
  if (format === "files") return files.length
  if (format === "parquet")
    return yield* countedByDuck(
      `from read_parquet([${files.map(({ path }) => `'${path.replaceAll("'", "''")}'`).join(", ")}], union_by_name = true)`
    )
  return soFar === null ? null : yield* Effect.promise(() => reckoned(files, soFar))
})

/** Of the author's own query, by the engine that reads it. Of Parquet it needs the footers alone. */
const countedByDuck = Effect.fnUntraced(function* (query: string) {
  const { queryRows } = yield* Effect.promise(() => import("./query-rows.ts"))
  const text = `select count(*) as rows from (${query.replace(/;\s*$/, "")})`
  const place = { file: "query", line: 1 }
  // The count comes as the only item of a source of its own.
  const rows = queryRows({ format: "sql", text, shown: "counting rows" }, ({ rows: count }): SourceRow => ({
    kind: "item",
    key: "rows",
    item: Number(count),
    body: "",
    bytes: 0,
    reference: null,
    place
  }))
  const [row] = (yield* Stream.runCollect(rows)).flat()
  return row?.kind === "item" ? Number(row.item) : null
})

/** As many rows a byte in the rest as there were so far. */
const reckoned = async (files: ReadonlyArray<FoundFile>, { rows, place }: ReadSoFar): Promise<number | null> => {
  const at = files.findIndex(({ shown }) => shown === place.file)
  const file = files[at]
  if (file === undefined || place.line === null) return null
  const sizeOf = ({ path }: FoundFile): number => fs.statSync(path).size
  const before = files.slice(0, at).reduce((sum, each) => sum + sizeOf(each), 0)
  const total = files.reduce((sum, each) => sum + sizeOf(each), 0)
  const read = before + (await bytesOfLines(file.path, place.line))
  return read === 0 ? null : Math.max(rows, Math.round((rows * total) / read))
}

/** Bytes of a file's first `lines` lines. */
const bytesOfLines = async (path: string, lines: number): Promise<number> => {
  let before = 0
  let left = lines
  for await (const block of fs.createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    for (let at = block.indexOf(10); at >= 0; at = block.indexOf(10, at + 1)) if (--left === 0) return before + at + 1
    before += block.length
  }
  return before
}
