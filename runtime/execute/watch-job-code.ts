/** What a session knows of items that held or ended the process of an earlier one, and what tells the next session of its own. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { Plan } from "../../dsl/index.ts"
import { callbackTimeoutDefaultMs } from "../provider/callback-timeout.ts"
import { readSuspicions, type Suspicions } from "../store/crash-log.ts"
import { openFlightJournal, type FlightJournal } from "../store/flight-journal.ts"
import type { RunFolder } from "../store/state-folder.ts"
import type { StoreError } from "../store/store-error.ts"
import { noteAt, threadNote } from "./thread-note.ts"
import { openWatchdog, type WatchdogOptions } from "./watchdog.ts"

export interface JobCodeWatch extends Suspicions {
  /** Told which items are in job code. */
  readonly flights: FlightJournal
}

/** Until the scope ends. */
export const watchJobCode = Effect.fn("Run.watchJobCode")(function* (
  plan: Plan,
  options: Omit<WatchdogOptions, "boundMs"> & { readonly runFolder: RunFolder }
): Effect.fn.Return<JobCodeWatch, StoreError, Scope.Scope> {
  const { runFolder, session, codeVersion } = options
  const suspicions = yield* readSuspicions(runFolder, codeVersion)
  const flights = yield* openFlightJournal(runFolder, { session, codeVersion }, (items) => void (threadNote[noteAt.flights] = items))
  yield* openWatchdog({ ...options, boundMs: plan.callbackTimeoutMs ?? callbackTimeoutDefaultMs })
  return { ...suspicions, flights }
})
