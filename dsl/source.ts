/** Where items come from: files, queries and streams, as values or as functions of the run. */
import type * as Stream from "effect/Stream"

import {
  makeStep,
  type Eventually,
  type PlainSchema,
  type Services,
  type Source,
  type SourceDefinition,
  type SourceFormat,
  type StructSchema
} from "./step.ts"

/** What a source may know of the run it feeds. Read-only; the same for every item of the run. */
export interface RunContext<out Params = unknown> {
  /** The logical date in the schedule's time zone (UTC without a schedule), `YYYY-MM-DD`. */
  readonly date: string
  /** What this run covers: from the previous fire time (inclusive) to this one (exclusive). */
  readonly interval: { readonly start: Date; readonly end: Date }
  /** The job's parameters, decoded by its `params` schema; `{}` without one. */
  readonly params: Params
}

declare const paramsNeeded: unique symbol
/** Marks, in the services channel, that a location reads parameters of this shape: the job must declare them. */
export interface NeedsParams<in out Params> {
  readonly [paramsNeeded]: (params: Params) => Params
}
type Asked<Params> = unknown extends Params ? never : NeedsParams<Params>

/** A value, or a function of the run. */
type Given<A, Params> = A | ((run: RunContext<Params>) => A)
type Paths = string | ReadonlyArray<string>

/** What the runtime gets of a source's first argument. */
export type SourceLocation = Paths | ((run: RunContext<any>) => unknown)

type ItemSchema<S extends PlainSchema> = StructSchema<S, "An item is a Schema.Struct: its fields are what prompts and queries read">

/** What every source but `files` takes beside its location. */
export interface SourceOptions<S extends PlainSchema> {
  /** Decodes one row. A row that doesn't fit is rejected with its file and line, and counted. */
  readonly schema: ItemSchema<S>
  /** Names an item: stable between runs, unique within one. A second row of the same key is rejected, naming both. */
  readonly key: (item: NoInfer<S["Type"]>) => string
}

/** What `files` hands to `parse`: one file. */
export interface SourceFile {
  /** Relative to the glob's fixed part, with `/` on every system: stable when the folder moves. */
  readonly path: string
  /** As found on disk. */
  readonly bytes: Uint8Array
  /** The bytes as UTF-8; invalid sequences reject the file, naming the byte. */
  readonly text: () => string
}

const fromRows =
  (format: SourceFormat) =>
  <S extends PlainSchema, Params = unknown>(location: Given<Paths, Params>, options: SourceOptions<S>): Source<S["Type"], Asked<Params>> =>
    makeSource(format, location, options)

/** JSON Lines: one JSON object a line, UTF-8, in files named by paths or globs. Blank lines are passed over. */
export const jsonl = fromRows("jsonl")

/** CSV with a header line (RFC 4180; a BOM is dropped). Cells are strings; an empty cell or `NaN` is null. */
export const csv = fromRows("csv")

/** Parquet files, one row an item. */
export const parquet = fromRows("parquet")

/** Any DuckDB query; a relative path in it starts from the working directory. One row an item, in the query's order. */
export const sql = <S extends PlainSchema, Params = unknown>(
  query: Given<string, Params>,
  options: SourceOptions<S>
): Source<S["Type"], Asked<Params>> => makeSource("sql", query, options)

/** An Effect Stream of encoded rows (what `schema` decodes). It is read once a run; services it needs are the job's. */
export const stream = <S extends PlainSchema, R = never, Params = unknown>(
  rows: (run: RunContext<Params>) => Stream.Stream<S["Encoded"], unknown, R>,
  options: SourceOptions<S>
): Source<S["Type"], R | Asked<Params>> => makeSource("stream", rows, options)

/** What `files` takes beside its globs. */
export interface FilesOptions<S extends PlainSchema, P> {
  readonly schema: ItemSchema<S>
  /** Makes one item from one file: text, mail, whatever a parser reads. If it fails, the file is rejected with the reason. */
  readonly parse: P & ((file: SourceFile) => Eventually<S["Type"]>)
  /** Default: the file's path relative to the glob's fixed part. */
  readonly key?: (item: NoInfer<S["Type"]>, path: string) => string
}

/** A folder of files, one item each, named by paths or globs. */
export const files = <S extends PlainSchema, P extends (file: SourceFile) => unknown, Params = unknown>(
  location: Given<Paths, Params>,
  options: FilesOptions<S, P>
): Source<S["Type"], Services<P> | Asked<Params>> => makeSource("files", location, { key: (_: unknown, path: string) => path, ...options })

const makeSource = <S extends Source<any, any>>(
  format: SourceFormat,
  location: SourceLocation,
  options: { readonly schema: unknown; readonly key: unknown; readonly parse?: unknown }
): S => {
  // The compiler proved key and parse against the schema; the run time hands them exactly such values.
  const { schema, key, parse } = options as {
    schema: PlainSchema
    key: SourceDefinition["keyOf"]
    parse?: NonNullable<SourceDefinition["parse"]>
  }
  return makeStep({ kind: "source", reads: [], format, location, schema, keyOf: key, ...(parse === undefined ? {} : { parse }) })
}
