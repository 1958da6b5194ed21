/** What a release writes for downstream, beside the tables that analysts query. */
import type { NeedsParams, RunContext } from "./source.ts"
import type { AnyAnswers, Step } from "./step.ts"

export type ExportFormat = "parquet" | "jsonl" | "csv"

/** What an export's folder may be named by. */
export interface ExportContext<out Params = unknown> extends RunContext<Params> {
  /** The run's name, unique for ever. */
  readonly run: string
}

type Asked<Params> = unknown extends Params ? never : NeedsParams<Params>
declare const needs: unique symbol

/** Files that a release writes. `R` collects the parameters that its folder reads. */
export interface Export<out R = never> {
  readonly format: ExportFormat
  readonly folder: string | ((run: ExportContext<any>) => string)
  /** Null for every step that the job ends with. */
  readonly step: Step | null
  /** For the compiler only. */
  readonly [needs]?: R
}

interface ExportOptions {
  /** Only this one of the steps that the job ends with. Default: a file each. */
  readonly step?: AnyAnswers
}

/** The parameters that exports read. */
export type ExportNeeds<E extends ReadonlyArray<Export<any>>> = E[number] extends infer One
  ? One extends Export<infer R>
    ? R
    : never
  : never

const exportAs =
  (format: ExportFormat) =>
  <Params = unknown>(folder: string | ((run: ExportContext<Params>) => string), { step }: ExportOptions = {}): Export<Asked<Params>> => ({
    format,
    folder,
    step: (step ?? null) as Step | null
  })

/**
 * Exports delivered rows as Parquet to a folder, a path or a function of the run; a relative one starts from the working directory. A release writes
 * `<run>/revision-<n>/<step>.parquet` in it, then `_manifest.json` (columns, rows, digests), then `_SUCCESS`: files under a
 * `_SUCCESS` are whole and never change. Never of a trial, and not before completeness holds and every gate is open.
 */
export const toParquet = exportAs("parquet")

/** As `toParquet`, one JSON object a line, UTF-8. */
export const toJsonl = exportAs("jsonl")

/** As `toParquet`, with a header line (RFC 4180); nothing is an empty cell, and lists and structs are JSON text. */
export const toCsv = exportAs("csv")
