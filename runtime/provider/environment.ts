/** Variables of the process's environment, and of the working folder's `.env` where the environment has none. */
import * as path from "node:path"
import { parseEnv } from "node:util"

import * as Result from "effect/Result"

import { readTextIfThere } from "./account-file.ts"

export interface Environment {
  /** Trimmed, as the SDKs do; null where it's not set or empty. The real environment wins. */
  readonly get: (name: string) => string | null
  /** Where `get` looks, in words. */
  readonly places: string
  readonly dotEnvFile: string
}

export type Variables = Readonly<Record<string, string | undefined>>

/** With a named environment, only `.env.<name>` is read: keys of two environments never mix. Read anew with each call. */
export const readEnvironment = (folder: string, env: string | null, variables: Variables): Result.Result<Environment, string> => {
  const dotEnvFile = path.join(folder, env === null ? ".env" : `.env.${env}`)
  const text = readTextIfThere(dotEnvFile)
  if (Result.isFailure(text)) return Result.fail(`${dotEnvFile} ${text.failure}`)
  const dotEnv = new Map(text.success === null ? [] : Object.entries(parseEnv(text.success)))
  return Result.succeed({
    get: (name) => textOrNull(variables[name]) ?? textOrNull(dotEnv.get(name)),
    places: `the environment and ${dotEnvFile}${text.success === null ? " (no such file)" : ""}`,
    dotEnvFile
  })
}

const textOrNull = (value: string | undefined): string | null => {
  const text = value?.trim() ?? ""
  return text === "" ? null : text
}
