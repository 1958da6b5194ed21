/** With whose accounts a run goes on: those it began with, unless another `--env` is given. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { readAccountPlace, type AccountPlace } from "../store/account-place.ts"
import type { RunFolder } from "../store/state-folder.ts"

/** `--env` of this command line, or what was noted with the run; where that differs from what the working folder has, stderr says so. */
export const accountsFor = (folder: RunFolder, env: string | null): Effect.Effect<AccountPlace> =>
  Effect.sync(() => {
    const here = { env, folder: process.cwd() }
    if (env !== null) return here
    const noted = Option.getOrElse(readAccountPlace(folder), () => here)
    const name = noted.env === null ? "" : ` --env ${noted.env}`
    if (!existsSync(noted.folder)) {
      process.stderr.write(`The run began in ${noted.folder}, which is gone: its accounts${name} are looked up in ${here.folder}.\n`)
      return { ...noted, folder: here.folder }
    }
    if (noted.env !== null || noted.folder !== here.folder)
      process.stderr.write(
        `Accounts and keys are those the run began with:${name} in ${noted.folder}. Another \`--env NAME\` takes others.\n`
      )
    return noted
  })
