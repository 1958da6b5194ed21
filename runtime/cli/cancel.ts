/** `runtime cancel RUN` */
import * as Argument from "effect/cli/Argument"
import * as Clock from "effect/Clock"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { RunNow } from "../store/read-run-status.ts"
import type { RunFolder } from "../store/state-folder.ts"
import { Misuse } from "./misuse.ts"
import { sameEnvFlag } from "./money-flags.ts"
import { verb } from "./verb.ts"

/** What a process has to finish its commit in. */
const stopSeconds = 30

export const cancel = verb(
  "cancel",
  {
    description:
      "Stop a run cleanly: no new call, the commit in hand finishes, everything stays resumable. Of a run that isn't working: cancel its provider batches, wait for their end, and take what was answered.",
    examples: [["runtime cancel mail-triage-20261125-013000-7f3k", "stop it; `runtime resume` goes on later"]]
  },
  {
    run: Argument.String("run").pipe(Argument.withDescription("the run's name")),
    wait: Flag.Int("wait").pipe(
      Flag.withDescription("seconds to wait for the end of provider batches (default: 900)"),
      Flag.withMetavar("SECONDS"),
      Flag.withDefault(900)
    ),
    env: sameEnvFlag
  },
  Effect.fnUntraced(function* ({ run, wait, env, state }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { readRunStatus } = yield* Effect.promise(() => import("../store/read-run-status.ts"))
    const { RunNotFound } = yield* Effect.promise(() => import("../execute/run-error.ts"))
    if (wait < 1) return yield* new Misuse({ problem: `--wait ${wait} waits for nothing.`, remedy: "Give at least 1, or leave it out." })
    const folder = yield* openStateFolder(state)
    const files = folder.run(run)
    const now = yield* readRunStatus(files, run)
    if (now === null) return yield* new RunNotFound({ run, state: folder.root })
    if (now.status === "running") return yield* stopProcess(files, run)
    const { cancelBatches } = yield* Effect.promise(() => import("./cancel-batches.ts"))
    return yield* cancelBatches({ folder, run, now, env: Option.getOrNull(env), waitSeconds: wait })
  })
)

/** Tells the process that works on the run to stop, and waits until it has. */
const stopProcess = Effect.fnUntraced(function* (files: RunFolder, run: string) {
  const { replaceFile } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  const { readRunStatus } = yield* Effect.promise(() => import("../store/read-run-status.ts"))
  const pid = yield* holderPid(files.state)
  if (pid === null) return yield* new Misuse({ problem: `Run ${run} has just ended.`, remedy: `See \`runtime status ${run}\`.` })
  yield* replaceFile(files.cancel, "cancel")
  yield* Effect.sync(() => process.kill(pid, "SIGTERM"))
  const asked = yield* Clock.currentTimeMillis
  for (;;) {
    const seen = yield* readRunStatus(files, run)
    if (seen !== null && seen.status !== "running") return yield* stoppedOutcome(files, seen)
    if ((yield* Clock.currentTimeMillis) - asked > stopSeconds * 1_000) {
      return yield* new Misuse({
        problem: `Process ${pid} was told to stop ${stopSeconds} s ago and still works on run ${run}.`,
        remedy: `Its commits are safe whatever ends it: \`kill -9 ${pid}\`, then \`runtime resume ${run}\`.`
      })
    }
    yield* Effect.sleep("200 millis")
  }
})

const stoppedOutcome = Effect.fnUntraced(function* (files: RunFolder, seen: RunNow) {
  const { run, status, committed, manifest } = seen
  const { readRunBatches, isAtProvider } = yield* Effect.promise(() => import("../store/read-open-batches.ts"))
  const { batchNames } = yield* Effect.promise(() => import("../execute/batch-names.ts"))
  const left = (yield* readRunBatches(files)).filter(isAtProvider)
  const text =
    left.length === 0
      ? `Go on with \`runtime resume ${run}\`.`
      : `Told to stop at the provider, and billed for what they do until then: ${batchNames(left)}. ` +
        `Wait for their end and take what was answered with \`runtime cancel ${run}\`, or go on with \`runtime resume ${run}\`.`
  return {
    json: { ...seen, batchesLeft: left.length },
    text: `Run ${run} is ${status}: ${committed} of ${manifest} items are done. ${text}`
  }
})

/** The process that DuckDB says holds the file: a number that can't be stale. */
const holderPid = Effect.fnUntraced(function* (path: string) {
  const { openDuck, isHeld } = yield* Effect.promise(() => import("../store/duck.ts"))
  return yield* Effect.scoped(openDuck({ attach: [{ name: "state", path }], memoryMb: 50 })).pipe(
    Effect.as(null),
    Effect.catchIf(isHeld, (error) => Effect.succeed(error.holderPid))
  )
})
