/** What the working folder's `accounts.json` says of accounts and channels: where their keys and URLs are, and limits. Never a secret itself. */
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

const ChannelEntry = Schema.Struct({
  /** What is posted there: our own JSON, or what Slack's incoming webhooks take. `console` writes to stderr. */
  kind: Schema.Literals(["webhook", "slack", "console"]),
  /** As an account's key. A URL is a secret: whoever has it can post. */
  urlEnv: Schema.optionalKey(KeyEnv),
  urlFile: Schema.optionalKey(Schema.NonEmptyString),
  urlCommand: Schema.optionalKey(Schema.NonEmptyArray(Argument))
}).check(
  Schema.makeFilter(({ kind, urlEnv, urlFile, urlCommand }) => {
    const places = [urlEnv, urlFile, urlCommand].filter((source) => source !== undefined).length
    if (kind === "console") return places === 0 || "is a console, which has no URL: leave it out"
    return places === 1 || "must say in one way where its URL is: urlEnv, urlFile or urlCommand"
  })
)

/** One channel's part of the file. */
export type ChannelEntry = typeof ChannelEntry.Type

/** One account's part of the file; all of it is optional. */
export type AccountEntry = typeof AccountEntry.Type

export interface AccountFile {
  readonly file: string
  readonly isThere: boolean
  readonly entries: ReadonlyMap<string, AccountEntry>
  readonly channels: ReadonlyMap<string, ChannelEntry>
}

/** Reads the file; one that isn't there has no entries. Fails with every fault, each with its path in the file, none with a value of it. */
export const readAccountFile = (file: string): Result.Result<AccountFile, ReadonlyArray<string>> => {
  const text = readTextIfThere(file)
  if (Result.isFailure(text)) return Result.fail([`${file} ${text.failure}`])
  if (text.success === null) return Result.succeed({ file, isThere: false, entries: new Map(), channels: new Map() })
  const json = parse(text.success)
  if (Result.isFailure(json)) return Result.fail([`${file} ${json.failure}`])
  const { channels, accounts } = parted(json.success)
  const decoded = decode(accounts)
  const decodedChannels = decodeChannels(channels)
  if (Result.isSuccess(decoded) && Result.isSuccess(decodedChannels))
    return Result.succeed({
      file,
      isThere: true,
      entries: new Map(Object.entries(decoded.success)),
      channels: new Map(Object.entries(decodedChannels.success))
    })
  return Result.fail([
    ...(Result.isFailure(decoded)
      ? formatIssue(decoded.failure.issue).issues.map((issue) => `${file}: ${placeOf(issue.path)}${issue.message}`)
      : []),
    ...(Result.isFailure(decodedChannels)
      ? formatChannelIssue(decodedChannels.failure.issue).issues.map(
          (issue) => `${file}: ${placeOf(["channels", ...(issue.path ?? [])])}${issue.message}`
        )
      : [])
  ])
}

/** "channels" stands beside the accounts, and is none. */
const parted = (json: unknown): { readonly channels: unknown; readonly accounts: unknown } => {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return { channels: {}, accounts: json }
  const { channels = {}, ...accounts } = json as Readonly<Record<string, unknown>>
  return { channels, accounts }
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

const decodeChannels = Schema.decodeUnknownResult(Schema.Record(Schema.String, ChannelEntry), { errors: "all", onExcessProperty: "error" })

const fields = Object.keys(AccountEntry.fields)
const channelFields = Object.keys(ChannelEntry.fields)

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "UnexpectedKey"
      ? `is no field of an account, which are ${fields.join(", ")}; a key itself never stands in this file`
      : SchemaIssue.defaultLeafHook(issue)
})

const formatChannelIssue = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "UnexpectedKey"
      ? `is no field of a channel, which are ${channelFields.join(", ")}; a URL itself never stands in this file`
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
