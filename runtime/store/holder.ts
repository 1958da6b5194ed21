/** Who works on a run: a note for people and for `cancel`. The lock itself is DuckDB's, and ends with its process. */
import { existsSync, readFileSync } from "node:fs"

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

import { removeFiles, replaceFile, type RunFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

const Holder = Schema.fromJsonString(Schema.Struct({ pid: Schema.Finite, startedAt: Schema.String, command: Schema.String }))
export type Holder = typeof Holder.Type

/** Leaves the note until the scope ends; also when the process is made to exit in a hurry. */
export const noteHolder = (folder: RunFolder, holder: Holder): Effect.Effect<void, StoreError, Scope.Scope> =>
  Effect.acquireRelease(replaceFile(folder.holder, Schema.encodeSync(Holder)(holder)), () =>
    removeFiles(folder.holder, folder.progress, folder.cancel)
  )

export const readHolder = (folder: RunFolder): Option.Option<Holder> =>
  existsSync(folder.holder) ? Schema.decodeUnknownOption(Holder)(readFileSync(folder.holder, "utf8")) : Option.none()
