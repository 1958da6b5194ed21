/** Composition root of the command `runtime`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import { cancel } from "./cli/cancel.ts"
import { compare } from "./cli/compare.ts"
import { approve, reject } from "./cli/decide.ts"
import { dlq } from "./cli/dlq.ts"
import { doctor } from "./cli/doctor.ts"
import { gates } from "./cli/gates.ts"
import { incidents } from "./cli/incidents.ts"
import { init } from "./cli/init.ts"
import { plan } from "./cli/plan.ts"
import { report } from "./cli/report.ts"
import { resume } from "./cli/resume.ts"
import { reviewVerb } from "./cli/review.ts"
import { run } from "./cli/run.ts"
import { runs } from "./cli/runs.ts"
import { sample } from "./cli/sample.ts"
import { sql } from "./cli/sql.ts"
import { status } from "./cli/status.ts"
import { trace } from "./cli/trace.ts"
import { tryVerb } from "./cli/try.ts"
import { exitCodes } from "./cli/verb.ts"
import { maskConsole } from "./provider/redaction.ts"
import { version } from "./version.ts"

const runtime = Command.make("runtime").pipe(
  Command.withDescription("nightshift: batch AI inference as typed jobs. Crash-safe, priced, traceable; on one machine."),
  Command.withSubcommands([
    init,
    plan,
    tryVerb,
    run,
    resume,
    cancel,
    status,
    runs,
    gates,
    approve,
    reject,
    dlq,
    reviewVerb,
    incidents,
    sample,
    report,
    sql,
    trace,
    compare,
    doctor
  ])
)

/** Logs go to stderr: stdout is the answer. */
const logs = Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])

// Whatever a job's code prints, a key that was read is not in it (SEC-1).
const main = Effect.scoped(Effect.andThen(maskConsole, Command.run(runtime, { version }))).pipe(
  Effect.provide(Layer.mergeAll(NodeServices.layer, logs))
)

NodeRuntime.runMain(main, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    if (Exit.isSuccess(exit)) return onExit(Number(process.exitCode ?? exitCodes.done))
    return onExit(Cause.hasInterruptsOnly(exit.cause) ? exitCodes.interrupted : exitCodes.misuse)
  }
})
