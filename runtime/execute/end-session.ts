/** How a session of a run ends, whatever ended it. */
import { existsSync } from "node:fs"

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

import type { DuckLedger } from "../store/ledger-duckdb.ts"
import { publish } from "../store/publish.ts"
import { isAtProvider } from "../store/read-open-batches.ts"
import type { StateFolder } from "../store/state-folder.ts"
import type { RunStatus } from "../store/state-tables.ts"
import { batchNames } from "./batch-names.ts"
import type { PaidRun } from "./paid-run.ts"
import { WaitsAtGate } from "./run-error.ts"

interface Ending {
  readonly run: string
  readonly folder: StateFolder
  readonly ledger: DuckLedger
  /** Null for a session without remote models, or whose work had not begun. */
  readonly paid: PaidRun | null
  /** A person may cancel a run also while it works. */
  readonly isCancelling: boolean
}

/** Lets the commit in hand finish, then says how the session ended, and shows it to analysts. */
export const endSession = ({ run, folder, ledger, paid, isCancelling }: Ending, exit: Exit.Exit<RunStatus, unknown>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const isCancelled = isCancelling || existsSync(folder.run(run).cancel)
    if (paid !== null) yield* leaveBatches({ run, paid, ledger, isCancelled })
    yield* Effect.timeoutOption(ledger.flush, "10 seconds")
    yield* ledger.close(...statusOf(exit, isCancelled), paid?.budget.snapshot().drawnUsd ?? 0)
    yield* Effect.timeoutOption(publish(ledger, folder, run), "30 seconds")
  }).pipe(
    Effect.catchCause((cause) =>
      Effect.andThen(
        Effect.logWarning(
          `Run ${run} could not note how it ended; \`runtime resume ${run}\` goes on from its checkpoints. ${messageOf(cause)}`
        ),
        Effect.logDebug(Cause.pretty(cause))
      )
    )
  )

interface Leaving {
  readonly run: string
  readonly paid: PaidRun
  readonly ledger: DuckLedger
  readonly isCancelled: boolean
}

/** What runs at providers goes on without us, and is billed (case 15): said with what to type, and told to stop where the run is cancelled. */
const leaveBatches = Effect.fnUntraced(function* ({ run, paid, ledger, isCancelled }: Leaving) {
  const known = yield* Effect.timeoutOption(
    Effect.orElseSucceed(ledger.batches.all, () => []),
    "10 seconds"
  )
  const open = Option.getOrElse(known, () => []).filter(isAtProvider)
  if (open.length === 0) return
  if (isCancelled) yield* Effect.timeoutOption(paid.flow.cancelAll, "10 seconds")
  yield* Effect.logWarning(
    isCancelled
      ? `Told to stop at the provider, and billed for what they do until then: ${batchNames(open)}. \`runtime cancel ${run}\` waits for their end and takes what was answered; \`runtime resume ${run}\` takes it and goes on.`
      : `Still at the provider, and billed when done: ${batchNames(open)}. \`runtime resume ${run}\` takes the results and goes on; \`runtime cancel ${run}\` stops them and takes what was answered.`
  )
})

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

const statusOf = (exit: Exit.Exit<RunStatus, unknown>, isCancelled: boolean): [RunStatus, string | null] => {
  if (Exit.isSuccess(exit)) return [exit.value, null]
  if (Cause.hasInterruptsOnly(exit.cause)) return [isCancelled ? "cancelled" : "interrupted", null]
  const error = Cause.squash(exit.cause)
  if (error instanceof WaitsAtGate) return ["waiting", null]
  // Only the kind of the failure: its text may quote an item, and stands in the log.
  return ["failed", typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Defect"]
}
