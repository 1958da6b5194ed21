/** Looks for an account's key in the order that the README promises (SEC-1). */
import * as path from "node:path"

import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

import type { Model } from "../../dsl/index.ts"
import type { AccountEntry, AccountFile } from "./account-file.ts"
import type { Environment } from "./environment.ts"
import { askPlace } from "./find-secret.ts"
import { noteSecret } from "./redaction.ts"

export interface KeySearch {
  readonly engine: Model["engine"]
  readonly account: string
  readonly accounts: AccountFile
  readonly environment: Environment
  readonly folder: string
}

/** The key, noted as a secret; null where the account needs none and has none. Or why not, every place looked, and what to type. */
export const findKey = Effect.fnUntraced(function* (
  search: KeySearch
): Effect.fn.Return<Result.Result<Redacted.Redacted<string> | null, string>> {
  const entry = search.accounts.entries.get(search.account)
  const found = (yield* askEntry(search, entry)) ?? askEnvironment(search)
  if (Result.isFailure(found)) return Result.fail(found.failure)
  if (found.success === null) return Result.succeed(null)
  const { secret: key, place } = found.success
  noteSecret(key)
  return sendable.test(key)
    ? Result.succeed(Redacted.make(key, { label: search.account }))
    : Result.fail(`the key in ${place} holds a space, a line break or a letter that no HTTP header carries. Write it there anew`)
})

/** What an HTTP header may carry of a key. */
const sendable = /^[\x21-\x7e]+$/

type Found = Result.Result<{ readonly secret: string; readonly place: string } | null, string>

/** Null where the file says nothing of the key. An account that says where its key is gets none from anywhere else. */
const askEntry = ({ account, accounts, environment, folder }: KeySearch, entry: AccountEntry | undefined): Effect.Effect<Found | null> =>
  askPlace({
    place: { env: entry?.keyEnv, file: entry?.keyFile, command: entry?.keyCommand },
    noun: "key",
    said: `${accounts.file} says of "${account}"`,
    environment,
    folder
  })

const askEnvironment = ({ engine, account, accounts, environment }: KeySearch): Found => {
  const names = namesFor(engine, account)
  for (const name of names) {
    const key = environment.get(name)
    if (key !== null) return Result.succeed({ secret: key, place: name })
  }
  if (engine === "openai-compatible") return Result.succeed(null)
  const [first] = names
  const file = accounts.isThere ? `has no key for "${account}"` : "is not there"
  return Result.fail(
    `no key. Looked for ${names.join(", then ")} in ${environment.places}; ${accounts.file} ${file}. ` +
      `Type \`export ${first}=…\`, or write where the key is into ${path.basename(accounts.file)}: ` +
      `{ ${JSON.stringify(account)}: { "keyFile": "/run/secrets/…" } }`
  )
}

const sdkNames = { openai: "OPENAI_API_KEY", anthropic: "ANTHROPIC_API_KEY" } as const

const namesFor = (engine: Model["engine"], account: string): ReadonlyArray<string> => {
  const sdk = engine === "openai" || engine === "anthropic" ? sdkNames[engine] : null
  const own = `${account.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_API_KEY`
  // An account may be called "openai" and belong to another company: that one's key never goes there.
  const isForeign = own !== sdk && Object.values(sdkNames).some((name) => name === own)
  return [...new Set([...(isForeign ? [] : [own]), ...(sdk === null ? [] : [sdk])])]
}
