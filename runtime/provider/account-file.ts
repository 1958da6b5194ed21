/** What the working folder's `accounts.json` says of accounts: where their keys are, and their limits. Never a key itself. */
import { readFileSync } from "node:fs"

import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

const Count = Schema.Finite.check(
  Schema.makeFilter((count) => (Number.isSafeInteger(count) && count > 0) || "must be a whole number above 0")
)

// Capitals only, so that a key which somebody put here is refused before any message could name it.
const KeyEnv = Schema.String.check(
  Schema.isPattern(/^[A-Z_][A-Z0-9_]*$/, { message: "must be the name of an environment variable, in capitals, and never the key itself" })
)

const Argument = Schema.NonEmptyString.check(Schema.isPattern(/^[^\0]*$/, { message: "must not hold a zero byte" }))

const AccountEntry = Schema.Struct({
  /** An environment variable, of the environment or the folder's `.env`. */
  keyEnv: Schema.optionalKey(KeyEnv),
  /** A file that holds the key in its first line; relative to the working folder. */
  keyFile: Schema.optionalKey(Schema.NonEmptyString),
  /** A command, without a shell, that writes the key to its stdout. */
  keyCommand: Schema.optionalKey(Schema.NonEmptyArray(Argument)),
  baseUrl: Schema.optionalKey(Schema.NonEmptyString),
  requestsPerMinute: Schema.optionalKey(Count),
  tokensPerMinute: Schema.optionalKey(Count),
  /** Calls in flight at most. */
  concurrencyMax: Schema.optionalKey(Count),
  /** Of one call. */
  timeoutMs: Schema.optionalKey(Count)
}).check(
  Schema.makeFilter(
    ({ keyEnv, keyFile, keyCommand }) =>
      [keyEnv, keyFile, keyCommand].filter((source) => source !== undefined).length <= 1 ||
      "has more than one of keyEnv, keyFile and keyCommand: keep one"
  )
)

/** One account's part of the file; all of it is optional. */
export type AccountEntry = typeof AccountEntry.Type

export interface AccountFile {
  readonly file: string
  readonly isThere: boolean
  readonly entries: ReadonlyMap<string, AccountEntry>
}

/** Reads the file; one that isn't there has no entries. Fails with every fault, each with its path in the file, none with a value of it. */
export const readAccountFile = (file: string): Result.Result<AccountFile, ReadonlyArray<string>> => {
  const text = readTextIfThere(file)
  if (Result.isFailure(text)) return Result.fail([`${file} ${text.failure}`])
  if (text.success === null) return Result.succeed({ file, isThere: false, entries: new Map() })
  const json = parse(text.success)
  if (Result.isFailure(json)) return Result.fail([`${file} ${json.failure}`])
  const decoded = decode(json.success)
  return Result.isSuccess(decoded)
    ? Result.succeed({ file, isThere: true, entries: new Map(Object.entries(decoded.success)) })
    : Result.fail(formatIssue(decoded.failure.issue).issues.map((issue) => `${file}: ${placeOf(issue.path)}${issue.message}`))
}

/** The text of a file; null where there is none, and a reason to stop where it's there and can't be read. */
export const readTextIfThere = (file: string): Result.Result<string | null, string> => {
  try {
    return Result.succeed(readFileSync(file, "utf8"))
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error"
    return code === "ENOENT" ? Result.succeed(null) : Result.fail(`can't be read (${code})`)
  }
}

const decode = Schema.decodeUnknownResult(Schema.Record(Schema.String, AccountEntry), { errors: "all", onExcessProperty: "error" })

const fields = Object.keys(AccountEntry.fields)

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "UnexpectedKey"
      ? `is no field of an account, which are ${fields.join(", ")}; a key itself never stands in this file`
      : SchemaIssue.defaultLeafHook(issue)
})

const placeOf = (path: ReadonlyArray<unknown> | undefined): string =>
  path === undefined || path.length === 0 ? "" : `${path.map((part) => (typeof part === "object" ? "?" : String(part))).join(".")}: `

const parse = (text: string): Result.Result<unknown, string> => {
  try {
    return Result.succeed(JSON.parse(text))
  } catch (cause) {
    // The parser's message quotes the text around the fault, which might be a key.
    const place = cause instanceof Error ? (/line \d+ column \d+/.exec(cause.message)?.[0] ?? null) : null
    return Result.fail(`is not JSON${place === null ? "" : `: see ${place}`}`)
  }
}
