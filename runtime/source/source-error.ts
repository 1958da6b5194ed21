/** What stops a source as a whole. A broken row doesn't: it is a `RejectedRow`, and reading goes on. */
import { inspect } from "node:util"

import * as Schema from "effect/Schema"

const Reason = Schema.Literals([
  "location",
  "missing",
  "no-match",
  "directory",
  "denied",
  "unreadable",
  "format",
  "query",
  "stream",
  "parse"
])

/** A source can't be read, or not to its end. Nothing has been paid then: the manifest comes first. Only `parse` belongs to a resume. */
export class SourceError extends Schema.TaggedError<SourceError>()("SourceError", {
  reason: Reason,
  /** The constructor that the job calls: `jsonl`, `csv`, … */
  format: Schema.String,
  /** As the job names it, with `:line` where one is known; the query's first line for `sql`. */
  path: Schema.String,
  /** The first line of what the system, DuckDB or the job's own code said. */
  detail: Schema.String,
  /** Where relative paths start. */
  directory: Schema.String
}) {
  override get message(): string {
    return sentences[this.reason](this)
  }
}

const sentences: Readonly<Record<typeof Reason.Type, (error: SourceError) => string>> = {
  location: ({ format, detail }) =>
    `The first argument of ${format}(…) gives nothing to read: ${detail}. Mend it in the job; \`runtime plan\` tries it without spending anything.`,
  missing: ({ path, directory }) =>
    `${path} does not exist (looked from ${directory}). Put the file there or correct the path in the job, then \`runtime run\` again.`,
  "no-match": ({ path, directory }) =>
    `No file matches ${path} (looked from ${directory}; names that start with a dot are left out). Put the files there or correct the ` +
    "pattern in the job, then `runtime run` again. A night without input is an empty file: zero rows are no error.",
  directory: ({ path, format }) =>
    `${path} is a directory, and ${format}(…) reads files. Write a glob, such as "${path.replace(/\/+$/, "")}/**/*${extensions[format] ?? ""}".`,
  denied: ({ path, detail }) =>
    `${path} may not be read by this user (${detail}). Give read access (chmod u+r), then \`runtime run\` again.`,
  unreadable: ({ path, detail }) =>
    `${path} can't be read (${detail}). If another program is writing it, wait for that to end; otherwise check the disk. Then \`runtime run\` again.`,
  format: ({ path, detail }) => `${path}: ${detail}`,
  query: ({ path, format, detail, directory }) =>
    `${format === "sql" ? `The query "${path}"` : `Reading ${path}`} failed: ${detail}. Relative paths start from ${directory}. Mend it, then \`runtime run\` again.`,
  parse: ({ path, detail }) =>
    `${path} is what it was when the run's manifest was made, but parse now fails on it: ${detail}. Mend parse in the job, then \`runtime resume\`.`,
  stream: ({ detail }) =>
    `The rows of stream(…) ended with an error: ${detail}. Nothing was sent to a model yet: mend the stream, then \`runtime run\` again.`
}

const extensions: Readonly<Record<string, string>> = { jsonl: ".jsonl", csv: ".csv", parquet: ".parquet", files: ".txt" }

/** A file that the manifest only refers to is no longer what the run began with (PAR-5). */
export class InputChanged extends Schema.TaggedError<InputChanged>()("InputChanged", {
  /** Absolute. */
  path: Schema.String,
  /** Of the referenced bytes, in the file. */
  offset: Schema.Finite,
  /** In bytes. */
  length: Schema.Finite,
  /** SHA-256 that the manifest recorded, hex. */
  expected: Schema.String,
  /** SHA-256 of what is there now, hex; null where there is nothing to digest. */
  found: Schema.NullOr(Schema.String),
  /** Ends the sentence "the file …". */
  detail: Schema.String
}) {
  override get message(): string {
    const now = this.found === null ? "" : `, now ${this.found.slice(0, 12)}…`
    return (
      `${this.path} ${this.detail} since the run's manifest was made: bytes ${this.offset} to ${this.offset + this.length} were ` +
      `sha256 ${this.expected.slice(0, 12)}…${now}. Bodies over 1 MB are not copied. Restore the file and \`runtime resume\`, ` +
      "or start over from the new input with `runtime run`."
    )
  }
}

/** Reads an exception of the file system as a `SourceError`. */
export const fileError = (format: string, path: string, cause: unknown): SourceError => {
  if (cause instanceof SourceError) return cause
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : ""
  return new SourceError({ reason: reasonOf(code), format, path, detail: code === "" ? firstLine(cause) : code, directory: process.cwd() })
}

const reasonOf = (code: string): typeof Reason.Type => {
  if (code === "ENOENT" || code === "ENOTDIR") return "missing"
  if (code === "EISDIR") return "directory"
  return code === "EACCES" || code === "EPERM" ? "denied" : "unreadable"
}

/** The first line of what was thrown, at most 500 characters. */
export const firstLine = (cause: unknown): string => {
  const text =
    cause instanceof Error
      ? `${cause.name === "Error" ? "" : `${cause.name}: `}${cause.message}`
      : typeof cause === "string"
        ? cause
        : inspect(cause)
  return (text.split("\n", 1)[0] ?? "").slice(0, 500)
}
