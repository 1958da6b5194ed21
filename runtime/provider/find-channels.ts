/** Channels by name: where people are told, found before anything is spent, so that a name that nobody declared is known at once. */
import * as path from "node:path"

import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

import { readAccountFile, type AccountFile, type ChannelEntry } from "./account-file.ts"
import { AccountsError } from "./accounts.ts"
import { isLoopback } from "./base-url.ts"
import { readEnvironment, type Environment, type Variables } from "./environment.ts"
import { askPlace } from "./find-secret.ts"
import { mask, noteSecret } from "./redaction.ts"

export interface FoundChannel {
  readonly name: string
  readonly kind: ChannelEntry["kind"]
  /** Null for a console. */
  readonly url: Redacted.Redacted<string> | null
}

export interface ChannelSearch {
  /** Each must be declared. */
  readonly names: ReadonlyArray<string>
  /** Found where they are declared. */
  readonly consumers: ReadonlyArray<string>
  readonly env: string | null
  readonly folder: string
  /** Default: the process's own. */
  readonly variables?: Variables
}

/** Fails with all that is missing; URLs are secrets from here on. */
export const findChannels = Effect.fn("Channels.find")(function* ({
  names,
  consumers,
  env,
  folder,
  variables = process.env
}: ChannelSearch) {
  if (names.length + consumers.length === 0) return []
  const file = readAccountFile(path.resolve(folder, env === null ? "accounts.json" : `accounts.${env}.json`))
  const environment = readEnvironment(path.resolve(folder), env, variables)
  if (Result.isFailure(file)) return yield* new AccountsError({ faults: file.failure })
  if (Result.isFailure(environment)) return yield* new AccountsError({ faults: [environment.failure] })
  const { channels } = file.success
  const wanted = new Set([...names, ...consumers.filter((name) => channels.has(name))])
  const found = yield* Effect.forEach(wanted, (name) => findOne(name, file.success, environment.success, folder), { concurrency: 4 })
  const faults = found.flatMap((each) => (Result.isFailure(each) ? [mask(each.failure)] : []))
  if (faults.length > 0) return yield* new AccountsError({ faults })
  return found.flatMap((each) => (Result.isSuccess(each) ? [each.success] : []))
})

const findOne = Effect.fnUntraced(function* (
  name: string,
  { file, channels, isThere }: AccountFile,
  environment: Environment,
  folder: string
): Effect.fn.Return<Result.Result<FoundChannel, string>> {
  const entry = channels.get(name)
  const title = `channel "${name}"`
  if (entry === undefined) {
    const declared = channels.size === 0 ? "declares none" : `declares ${[...channels.keys()].join(", ")}`
    return Result.fail(
      `the job notifies ${title}, and ${file} ${isThere ? declared : "is not there"}. ` +
        `Write it there: { "channels": { ${JSON.stringify(name)}: { "kind": "slack", "urlEnv": "${urlVariable(name)}" } } }, or take it out of the job's notify`
    )
  }
  if (entry.kind === "console") return Result.succeed({ name, kind: entry.kind, url: null })
  const { urlEnv, urlFile, urlCommand } = entry
  const place = { env: urlEnv, file: urlFile, command: urlCommand }
  const found = yield* askPlace({ place, noun: "URL", said: `${file} says of ${title}`, environment, folder })
  if (found === null) return Result.fail(`${title} has no URL`)
  if (Result.isFailure(found)) return Result.fail(`${title}: ${found.failure}`)
  noteUrl(found.success.secret)
  const fault = faultOf(found.success.secret)
  return fault === null
    ? Result.succeed({ name, kind: entry.kind, url: Redacted.make(found.success.secret, { label: name }) })
    : Result.fail(`${title}: the URL in ${found.success.place} ${fault}`)
})

const urlVariable = (name: string): string => `${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_WEBHOOK`

/** Never quotes the URL: all of it may be a secret. */
const faultOf = (text: string): string | null => {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return "is no http or https URL. Write it there anew"
  if (url.protocol === "http:" && !isLoopback(url.hostname))
    return "is http: without TLS, whoever listens on the network could post as this job. Write an https URL"
  return null
}

/** Whoever prints a part of it, such as its path, prints a secret as well. */
const noteUrl = (text: string): void => {
  noteSecret(text)
  const url = URL.parse(text)
  if (url === null) return
  noteSecret(url.href)
  for (const part of [url.pathname + url.search, url.username, url.password, ...url.pathname.split("/"), ...url.searchParams.values()])
    if (part.length >= secretPartMin) noteSecret(part)
}

/** Shorter parts of a path are words, such as `services`. */
const secretPartMin = 16
