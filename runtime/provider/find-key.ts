/** Looks for an account's key in the order that the README promises (SEC-1). */
import * as path from "node:path"

import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

import type { Model } from "../../dsl/index.ts"
import { readTextIfThere, type AccountEntry, type AccountFile } from "./account-file.ts"
import type { Environment } from "./environment.ts"
import { noteSecret } from "./redaction.ts"
import { askSecretCommand, firstLineOf } from "./secret-command.ts"

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
  const { key, place } = found.success
  noteSecret(key)
  return sendable.test(key)
    ? Result.succeed(Redacted.make(key, { label: search.account }))
    : Result.fail(`the key in ${place} holds a space, a line break or a letter that no HTTP header carries. Write it there anew`)
})

/** What an HTTP header may carry of a key. */
const sendable = /^[\x21-\x7e]+$/

type Found = Result.Result<{ readonly key: string; readonly place: string } | null, string>

/** Null where the file says nothing of the key. An account that says where its key is gets none from anywhere else. */
const askEntry = Effect.fnUntraced(function* (
  { account, accounts, environment, folder }: KeySearch,
  entry: AccountEntry | undefined
): Effect.fn.Return<Found | null> {
  const said = `${accounts.file} says of "${account}"`
  if (entry?.keyEnv !== undefined) {
    const key = environment.get(entry.keyEnv)
    return key === null
      ? Result.fail(
          `no key: ${said} that it's in ${entry.keyEnv}, and that is not set in ${environment.places}. Type \`export ${entry.keyEnv}=…\``
        )
      : Result.succeed({ key, place: entry.keyEnv })
  }
  if (entry?.keyFile !== undefined) {
    const file = path.resolve(folder, entry.keyFile)
    const text = readTextIfThere(file)
    const key = Result.isSuccess(text) ? firstLineOf(text.success ?? "") : ""
    if (key !== "") return Result.succeed({ key, place: file })
    const fault = Result.isFailure(text) ? text.failure : text.success === null ? "is not there" : "is empty"
    return Result.fail(`no key: ${said} that it's in the file ${file}, which ${fault}. Write the key there, or mend the path`)
  }
  if (entry?.keyCommand !== undefined) {
    const key = yield* askSecretCommand(entry.keyCommand, folder)
    const [name] = entry.keyCommand
    return Result.isSuccess(key)
      ? Result.succeed({ key: key.success, place: `what \`${name}\` wrote` })
      : Result.fail(`no key: ${said} that \`${name} …\` tells it, which ${key.failure}. Run its keyCommand by hand to see why`)
  }
  return null
})

const askEnvironment = ({ engine, account, accounts, environment }: KeySearch): Found => {
  const names = namesFor(engine, account)
  for (const name of names) {
    const key = environment.get(name)
    if (key !== null) return Result.succeed({ key, place: name })
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
