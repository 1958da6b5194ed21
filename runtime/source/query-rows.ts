/**
 * Streams the rows of a DuckDB query: the engine below `parquet` and `sql`.
 *
 * Our own SQL lives in runtime/store/. What is here is the job author's: their query as they wrote it, or their Parquet files.
 * It runs in an instance of its own, so that it can't see or lock a file of ours.
 */
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"

import * as DuckDb from "@duckdb/node-api"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import { jsonOf } from "./duck-value.ts"
import { portions } from "./gather.ts"
import { firstLine, SourceError } from "./source-error.ts"
import type { SourceRow } from "./source-item.ts"

/** A query and what to say of it. */
export interface Query {
  /** The DSL's constructor, for messages. */
  readonly format: "sql" | "parquet"
  readonly text: string
  /** For people: what was read. */
  readonly shown: string
}

/** DuckDB spills to a temporary folder above this. */
const MEMORY_LIMIT = "512MB"

/**
 * Makes a row of each record, in the query's order, holding DuckDB's current vector (2,048 rows) and no more.
 * `row` gets the columns by name, JSON-ready.
 */
export const queryRows = (
  query: Query,
  row: (columns: Readonly<Record<string, unknown>>) => SourceRow
): Stream.Stream<ReadonlyArray<SourceRow>, SourceError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { connection, watch } = yield* connect(query)
      const result = yield* attempt(query, () => watch(connection.stream(query.text)))
      const names = result.columnNames()
      const twice = names.find((name, index) => names.indexOf(name) !== index)
      if (twice !== undefined) return yield* failed(query, `two columns are called "${twice}": name one of them with AS`)
      return Stream.fromAsyncIterable(
        rowsOf(() => watch(result.fetchChunk()), names, row),
        (cause) => failed(query, firstLine(cause))
      )
    })
  )

async function* rowsOf(
  next: () => Promise<DuckDb.DuckDBDataChunk | null>,
  names: ReadonlyArray<string>,
  row: (columns: Readonly<Record<string, unknown>>) => SourceRow
): AsyncGenerator<ReadonlyArray<SourceRow>> {
  for (let vector = await next(); vector !== null && vector.rowCount > 0; vector = await next()) {
    yield* portions(rowsOfVector(vector, names, row))
  }
}

function* rowsOfVector(
  vector: DuckDb.DuckDBDataChunk,
  names: ReadonlyArray<string>,
  row: (columns: Readonly<Record<string, unknown>>) => SourceRow
): Generator<SourceRow> {
  // Read one by one: as JavaScript values at once, 2,048 rows of long texts would fill the memory.
  const columns = names.map((_, index) => vector.getColumnVector(index))
  for (let at = 0; at < vector.rowCount; at++) {
    const values: Record<string, unknown> = {}
    for (let index = 0; index < names.length; index++) values[names[index] ?? ""] = jsonOf(columns[index]?.getItem(at) ?? null)
    yield row(values)
  }
}

const connect = Effect.fn("Source.connect")(function* (query: Query) {
  const spill = yield* Effect.acquireRelease(
    attempt(query, () => fs.mkdtemp(path.join(os.tmpdir(), "nightshift-source-"))),
    (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
  )
  const settings = { memory_limit: MEMORY_LIMIT, threads: "2", temp_directory: spill, preserve_insertion_order: "true" }
  const instance = yield* Effect.acquireRelease(
    attempt(query, () => DuckDb.DuckDBInstance.create(":memory:", settings)),
    (open) => Effect.sync(() => open.closeSync())
  )
  const calls = { inFlight: 0 }
  const watch = async <A>(answer: Promise<A>): Promise<A> => {
    calls.inFlight += 1
    try {
      return await answer
    } finally {
      calls.inFlight -= 1
    }
  }
  const connection = yield* Effect.acquireRelease(
    attempt(query, () => instance.connect()),
    // A query in flight has to stop before its connection closes: otherwise it would go on to its end, and the process with it.
    // Once isn't enough, for DuckDB forgets an interrupt that comes before the query starts.
    Effect.fnUntraced(function* (open) {
      while (calls.inFlight > 0) {
        open.interrupt()
        yield* Effect.sleep("20 millis")
      }
      open.closeSync()
    })
  )
  // Otherwise a timestamp without a zone would mean something else on each machine.
  yield* attempt(query, () => watch(connection.run("set TimeZone = 'UTC'")))
  return { connection, watch }
})

const attempt = <A>(query: Query, run: () => Promise<A>): Effect.Effect<A, SourceError> =>
  Effect.tryPromise({ try: run, catch: (cause) => failed(query, firstLine(cause)) })

const failed = (query: Query, detail: string): SourceError =>
  new SourceError({ reason: "query", format: query.format, path: query.shown, detail, directory: process.cwd() })
