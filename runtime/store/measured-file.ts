/** What a job's last finished run measured: a small file of its own, so that `plan` needn't open a database for it. */
import { mkdirSync, readFileSync } from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"

import { replaceFile } from "./state-folder.ts"
import { storeError, type StoreError } from "./store-error.ts"

/** Null where there is no such file, or `decode` throws: it is derived, and what can't be read is measured again by the next run. */
export const readMeasured = <A>(file: string, decode: (text: string) => A): Effect.Effect<A | null> =>
  Effect.sync(() => {
    try {
      return decode(readFileSync(file, "utf8"))
    } catch {
      return null
    }
  })

/** Makes the file's folder where it isn't there. */
export const writeMeasured = (file: string, text: string): Effect.Effect<void, StoreError> =>
  Effect.andThen(
    Effect.try({
      try: () => void mkdirSync(path.dirname(file), { recursive: true }),
      catch: (cause) => storeError(file, cause)
    }),
    replaceFile(file, text)
  )
