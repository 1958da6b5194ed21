/** Who looked at content: one row in `control.duckdb`, written before anything is shown. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { withControl } from "./control.ts"
import { insertAccess, publishDecisions, type AccessEntry } from "./publish-decisions.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Notes a look; a look that can't be noted isn't given. */
export const logAccess = (folder: StateFolder, entry: AccessEntry): Effect.Effect<void, StoreError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    withControl(folder, "logAccess", (duck) =>
      Effect.andThen(
        duck.use("noting who looked", (db) => insertAccess(db, entry, new Date(now))),
        publishDecisions(duck, folder)
      )
    )
  )
