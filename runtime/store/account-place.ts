/** Where a run's accounts and keys were found: the folder and the named environment, never what stands in them. */
import { existsSync, readFileSync } from "node:fs"

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { replaceFile, type RunFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

const AccountPlace = Schema.Struct({
  /** `--env`; null for `accounts.json` and `.env` themselves. */
  env: Schema.NullOr(Schema.String),
  /** Absolute. */
  folder: Schema.String
})
const Note = Schema.fromJsonString(AccountPlace)

/** Which accounts file and `.env`, and in which folder. */
export type AccountPlace = typeof AccountPlace.Type

/** Remembers it with the run: whoever resumes, approves or cancels need not. */
export const noteAccountPlace = (folder: RunFolder, place: AccountPlace): Effect.Effect<void, StoreError> =>
  replaceFile(folder.accounts, Schema.encodeSync(Note)(place))

/** None for a run without remote models, and for one that is older than the note. */
export const readAccountPlace = (folder: RunFolder): Option.Option<AccountPlace> =>
  existsSync(folder.accounts) ? Schema.decodeOption(Note)(readFileSync(folder.accounts, "utf8")) : Option.none()
