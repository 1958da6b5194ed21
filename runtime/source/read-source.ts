/** The one door to a job's input: rows in order, a portion at a time. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { RunContext, SourceDefinition } from "../../dsl/index.ts"
import { readCsv } from "./csv.ts"
import { readFiles } from "./files.ts"
import { findFiles, type FoundFile } from "./find-files.ts"
import { readJsonl } from "./jsonl.ts"
import { firstLine, SourceError } from "./source-error.ts"
import type { SourceRow } from "./source-item.ts"
import { readStream } from "./stream.ts"

type Rows<R = never> = Stream.Stream<ReadonlyArray<SourceRow>, SourceError, R>

/**
 * Reads a source for a run, in portions of at most 1,000 rows or about 4 MB, holding one portion at a time: ten million rows
 * need no more memory than ten thousand. Files close when the stream ends or is interrupted.
 *
 * Paths start from the working directory when the stream starts. Only `files` and `stream` need services: `R` is theirs, and
 * the compiler has checked it against the job, where the source's type is known.
 */
export const readSource = <R = never>(definition: SourceDefinition, run: RunContext): Rows<R> =>
  Stream.unwrap(Effect.map(locate(definition, run), (location) => rowsAt<R>(definition, location)))

const rowsAt = <R>(definition: SourceDefinition, location: unknown): Rows<R> => {
  switch (definition.format) {
    case "jsonl":
      return fromFiles(definition, location, readJsonl)
    case "csv":
      return fromFiles(definition, location, readCsv)
    case "parquet":
      return lazily(
        () => import("./parquet.ts"),
        ({ readParquet }) => fromFiles(definition, location, readParquet)
      )
    case "files":
      return fromFiles(definition, location, readFiles<R>)
    case "sql":
      return isText(location)
        ? lazily(
            () => import("./sql.ts"),
            ({ readSql }) => readSql(definition, location)
          )
        : misplaced(definition, "a query", location)
    case "stream":
      return isStreamOf<R>(location) ? readStream<R>(definition, location) : misplaced(definition, "an Effect Stream", location)
  }
}

/** DuckDB takes a tenth of a second to load: only for what it reads. */
const lazily = <M, R>(load: () => Promise<M>, rows: (module: M) => Rows<R>): Rows<R> =>
  Stream.unwrap(Effect.map(Effect.promise(load), rows))

const fromFiles = <R>(
  definition: SourceDefinition,
  location: unknown,
  read: (definition: SourceDefinition, files: ReadonlyArray<FoundFile>) => Rows<R>
): Rows<R> => {
  const patterns = Array.isArray(location) ? location : [location]
  if (!patterns.every(isText) || patterns.length === 0) return misplaced(definition, "a path, a glob or a list of them", location)
  return Stream.unwrap(Effect.map(findFiles(definition.format, patterns), (files) => read(definition, files)))
}

/** The location itself, or what its function gives for this run. */
const locate = ({ format, location }: SourceDefinition, run: RunContext): Effect.Effect<unknown, SourceError> =>
  typeof location === "function"
    ? Effect.try({ try: () => location(run), catch: (cause) => fault(format, `for ${run.date} its function threw ${firstLine(cause)}`) })
    : Effect.succeed(location)

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== ""

// The guard claims more than it can see: a stream's services exist for the compiler alone; see readSource.
const isStreamOf = <R>(value: unknown): value is Stream.Stream<unknown, unknown, R> => Stream.isStream(value)

const misplaced = ({ format }: SourceDefinition, wanted: string, found: unknown): Rows =>
  Stream.fail(fault(format, `it must be ${wanted}, and is ${found === "" ? "an empty string" : firstLine(found)}`))

const fault = (format: string, detail: string): SourceError =>
  new SourceError({ reason: "location", format, path: format, detail, directory: process.cwd() })
