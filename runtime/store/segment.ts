/** Segments: Parquet files of a run's rows that appear whole, once, and stay. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { CompiledQuery } from "kysely"

import { quoted } from "./duck.ts"
import { copyTo, makeFolder, partOf, putInPlace } from "./durable-file.ts"
import type { DuckLedger } from "./ledger-duckdb.ts"
import type { RowRange } from "./lineage-tables.ts"
import type { StoreError } from "./store-error.ts"

/** Rows `from` to `to` of one run, for one published table. */
export interface Segment extends RowRange {
  readonly table: string
  /** From 1, without gaps within a run and table. */
  readonly segment: number
}

/** Where a segment goes and what it holds. */
export interface SegmentFile {
  readonly path: string
  readonly query: string
  readonly mode: number
}

/** Called between the steps of writing a segment: a test dies here. */
export const SegmentPoint = Context.Reference<(point: "intended" | "written" | "placed" | "marked", table: string) => Effect.Effect<void>>(
  "nightshift/SegmentPoint",
  { defaultValue: () => () => Effect.void }
)

/** The path of a run's segment within a table's folder. */
export const segmentPath = (tableFolder: string, run: string, segment: number): string =>
  path.join(tableFolder, `run=${run}`, `${String(segment).padStart(6, "0")}.parquet`)

/** Segments that were begun and not marked done, oldest first. */
export const unfinishedSegments = (ledger: DuckLedger): Effect.Effect<ReadonlyArray<Segment>, StoreError> =>
  ledger.duck.use("reading what was published", (db) =>
    db
      .selectFrom("state.published")
      .select(["table_name as table", "segment", "from_commit as from", "to_commit as to"])
      .where("done", "=", false)
      .orderBy("segment")
      .execute()
  )

/** The number of each table's last segment, and where it ends. */
export const lastSegments = (
  ledger: DuckLedger
): Effect.Effect<ReadonlyMap<string, { readonly segment: number; readonly to: number }>, StoreError> =>
  ledger.duck.use("reading what was published", async (db) => {
    const rows = await db
      .selectFrom("state.published")
      .select(({ fn }) => ["table_name", fn.max("segment").as("segment"), fn.max("to_commit").as("to")])
      .groupBy("table_name")
      .execute()
    return new Map(rows.map(({ table_name, segment, to }) => [table_name, { segment, to }]))
  })

/** Writes down which rows go into which segment: from here on, a repetition gives the same files. */
export const intendSegments = Effect.fnUntraced(function* (ledger: DuckLedger, segments: ReadonlyArray<Segment>) {
  const rows = segments.map(({ table, segment, from, to }) => `(${quoted(table)}, ${segment}, ${from}, ${to}, false)`)
  yield* writeState(ledger, `insert into state.published values ${rows.join(", ")}`)
  yield* passEach("intended", segments)
})

/** Writes the files of intended segments and marks them done. A file that stands is complete: it is never written again. */
export const writeSegments = Effect.fnUntraced(function* (
  ledger: DuckLedger,
  segments: ReadonlyArray<Segment>,
  fileOf: (segment: Segment) => SegmentFile
) {
  for (const segment of segments) yield* writeSegment(ledger, segment.table, fileOf(segment))
  const which = segments.map(({ table, segment }) => `(table_name = ${quoted(table)} and segment = ${segment})`)
  yield* writeState(ledger, `update state.published set done = true where ${which.join(" or ")}`)
  yield* passEach("marked", segments)
})

const writeSegment = Effect.fnUntraced(function* ({ duck }: DuckLedger, table: string, { path: file, query, mode }: SegmentFile) {
  if (fs.existsSync(file)) return
  const part = partOf(file)
  yield* makeFolder(path.dirname(file))
  yield* copyTo(duck.db, part, query)
  yield* (yield* SegmentPoint)("written", table)
  yield* putInPlace(part, file, mode)
  yield* (yield* SegmentPoint)("placed", table)
})

const passEach = Effect.fnUntraced(function* (point: "intended" | "marked", segments: ReadonlyArray<Segment>) {
  const pass = yield* SegmentPoint
  for (const { table } of segments) yield* pass(point, table)
})

/** One statement, between two group commits. Not on the ledger's writer: while a manifest is built, that is within a transaction. */
export const writeState = ({ duck, exclusively }: DuckLedger, statement: string): Effect.Effect<void, StoreError> =>
  Effect.asVoid(
    exclusively(Effect.uninterruptible(duck.use("noting what was published", (db) => db.executeQuery(CompiledQuery.raw(statement)))))
  )
