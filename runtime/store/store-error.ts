/** What can go wrong with a file of state, told from what DuckDB and the system say. */
import * as Schema from "effect/Schema"

const Reason = Schema.Literals(["held", "full", "read-only", "unreadable", "missing", "newer", "broken", "query"])

/** Trouble with a state file. `isRetryable` reasons may pass by themselves: a full disk is emptied, a holder ends. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  reason: Reason,
  /** The file or folder, or what was being done where no single file is known. */
  path: Schema.String,
  /** The first line of what DuckDB or the system said. */
  detail: Schema.String,
  /** `held` only: the process that has the file open. */
  holderPid: Schema.NullOr(Schema.Finite)
}) {
  get isRetryable(): boolean {
    return this.reason === "full" || this.reason === "held" || this.reason === "unreadable"
  }
  /** The attached file that DuckDB let go of after a failed checkpoint, by its name in queries. All its commits are safe: attach it again. */
  get lostFile(): string | null {
    const found = /Checkpoint failed for database "([^"]+)"|Database "([^"]+)" has been invalidated/.exec(this.detail)
    return found?.[1] ?? found?.[2] ?? null
  }
  override get message(): string {
    return `${sentences[this.reason](this)} (${this.detail})`
  }
}

const sentences: Readonly<Record<typeof Reason.Type, (error: StoreError) => string>> = {
  held: ({ path, holderPid }) =>
    `${path} is in use by ${holderPid === null ? "another process" : `process ${holderPid}`}. Nothing was changed: wait for it, or see \`runtime status\`.`,
  full: ({ path }) => `The disk that holds ${path} is full. Nothing that was committed is lost: make room and \`runtime resume\` the run.`,
  "read-only": ({ path }) => `${path} can't be written. Give this user write access, or choose another folder with --state DIR.`,
  unreadable: ({ path }) => `${path} can't be read or written. Check the disk; \`runtime doctor\` looks at every file.`,
  missing: ({ path }) => `${path} does not exist. Put it back from a copy, or start anew with \`runtime run\`.`,
  newer: ({ path }) => `${path} was written by a newer nightshift. Update this one: npm i nightshift@latest.`,
  broken: ({ path }) => `${path} is damaged or no DuckDB file. Keep a copy; \`runtime doctor\` says what can be saved.`,
  query: ({ path }) => `A query failed while ${path}.`
}

const patterns: ReadonlyArray<readonly [RegExp, typeof Reason.Type]> = [
  // Whatever it came from: DuckDB answers nothing more in this process, so that waiting wouldn't help.
  [/previous fatal error|FATAL Error/i, "query"],
  [/Could not set lock|Conflicting lock|Unique file handle/i, "held"],
  [/No space left|ENOSPC|disk is full|Disk quota|EDQUOT|out of disk space/i, "full"],
  [/Read-only file system|EROFS|EACCES|EPERM|Permission denied|read-only mode|Operation not permitted/i, "read-only"],
  [/newer version|storage version/i, "newer"],
  [/not a valid DuckDB database|Corrupt|checksum|Serialization Error/i, "broken"],
  [/ENOENT|No such file|does not exist/i, "missing"],
  [/IO Error|EIO|Input\/output error/i, "unreadable"]
]

/** Reads an exception as a `StoreError` about `path`; one that is a `StoreError` already stays what it is. */
export const storeError = (path: string, cause: unknown): StoreError => {
  if (cause instanceof StoreError) return cause
  const text = cause instanceof Error ? cause.message : String(cause)
  const reason = patterns.find(([pattern]) => pattern.test(text))?.[1] ?? "query"
  const pid = /PID (\d+)/.exec(text)?.[1]
  // What was being done, where no single file is known: DuckDB often names it.
  const file = reason === "query" || path.startsWith("/") ? undefined : /file "([^"]+)"/.exec(text)?.[1]
  return new StoreError({
    reason,
    path: file ?? path,
    detail: text.split("\n")[0] ?? "",
    holderPid: pid === undefined ? null : Number(pid)
  })
}
