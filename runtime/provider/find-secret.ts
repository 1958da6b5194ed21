/** A secret that the accounts file says the place of: a key, or a channel's URL (SEC-1). */
import * as path from "node:path"

import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import { readTextIfThere } from "./account-file.ts"
import type { Environment } from "./environment.ts"
import { askSecretCommand, firstLineOf } from "./secret-command.ts"

/** At most one of the three. */
export interface SecretPlace {
  readonly env?: string | undefined
  readonly file?: string | undefined
  readonly command?: readonly [string, ...ReadonlyArray<string>] | undefined
}

export interface SecretSearch {
  readonly place: SecretPlace
  readonly noun: "key" | "URL"
  /** The beginning of the sentence "… that it's in", such as `accounts.json says of "desk"`. */
  readonly said: string
  readonly environment: Environment
  readonly folder: string
}

export type FoundSecret = Result.Result<{ readonly secret: string; readonly place: string }, string>

/** Null where no place is said. Of a failure: every place looked, and what to type. */
export const askPlace = Effect.fnUntraced(function* ({
  place,
  noun,
  said,
  environment,
  folder
}: SecretSearch): Effect.fn.Return<FoundSecret | null> {
  if (place.env !== undefined) {
    const secret = environment.get(place.env)
    return secret === null
      ? Result.fail(
          `no ${noun}: ${said} that it's in ${place.env}, and that is not set in ${environment.places}. Type \`export ${place.env}=…\``
        )
      : Result.succeed({ secret, place: place.env })
  }
  if (place.file !== undefined) {
    const file = path.resolve(folder, place.file)
    const text = readTextIfThere(file)
    const secret = Result.isSuccess(text) ? firstLineOf(text.success ?? "") : ""
    if (secret !== "") return Result.succeed({ secret, place: file })
    const fault = Result.isFailure(text) ? text.failure : text.success === null ? "is not there" : "is empty"
    return Result.fail(`no ${noun}: ${said} that it's in the file ${file}, which ${fault}. Write the ${noun} there, or mend the path`)
  }
  if (place.command !== undefined) {
    const secret = yield* askSecretCommand(place.command, folder)
    const [name] = place.command
    return Result.isSuccess(secret)
      ? Result.succeed({ secret: secret.success, place: `what \`${name}\` wrote` })
      : Result.fail(
          `no ${noun}: ${said} that \`${name} …\` tells it, which ${secret.failure}. Run its ${noun.toLowerCase()}Command by hand to see why`
        )
  }
  return null
})
