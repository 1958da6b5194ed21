/** `runtime cancel RUN` */
import * as Argument from "effect/cli/Argument"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { Misuse } from "./misuse.ts"
import { verb } from "./verb.ts"

const waitSeconds = 30

export const cancel = verb(
  "cancel",
  {
    description: "Stop a run cleanly: no new call, the commit in hand finishes, everything stays resumable.",
    examples: [["runtime cancel mail-triage-20261125-013000-7f3k", "stop it; `runtime resume` goes on later"]]
  },
  { run: Argument.String("run").pipe(Argument.withDescription("the run's name")) },
  Effect.fnUntraced(function* ({ run, state }) {
    const { openStateFolder, replaceFile } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { readRunStatus } = yield* Effect.promise(() => import("../store/read-run-status.ts"))
    const { RunNotFound } = yield* Effect.promise(() => import("../execute/run-error.ts"))
    const folder = yield* openStateFolder(state)
    const files = folder.run(run)
    const now = yield* readRunStatus(files, run)
    if (now === null) return yield* new RunNotFound({ run, state: folder.root })
    if (now.status !== "running")
      return yield* new Misuse({ problem: `Run ${run} isn't running: it is ${now.status}.`, remedy: "Nothing was changed." })
    const pid = yield* holderPid(files.state)
    if (pid === null) return yield* new Misuse({ problem: `Run ${run} has just ended.`, remedy: `See \`runtime status ${run}\`.` })
    yield* replaceFile(files.cancel, "cancel")
    yield* Effect.sync(() => process.kill(pid, "SIGTERM"))
    const asked = yield* Clock.currentTimeMillis
    for (;;) {
      const seen = yield* readRunStatus(files, run)
      if (seen !== null && seen.status !== "running") {
        return {
          json: seen,
          text: `Run ${run} is ${seen.status}: ${seen.committed} of ${seen.manifest} items are done. Go on with \`runtime resume ${run}\`.`
        }
      }
      if ((yield* Clock.currentTimeMillis) - asked > waitSeconds * 1_000) {
        return yield* new Misuse({
          problem: `Process ${pid} was told to stop ${waitSeconds} s ago and still works on run ${run}.`,
          remedy: `Its commits are safe whatever ends it: \`kill -9 ${pid}\`, then \`runtime resume ${run}\`.`
        })
      }
      yield* Effect.sleep("200 millis")
    }
  })
)

/** The process that DuckDB says holds the file: a number that can't be stale. */
const holderPid = Effect.fnUntraced(function* (path: string) {
  const { openDuck, isHeld } = yield* Effect.promise(() => import("../store/duck.ts"))
  return yield* Effect.scoped(openDuck({ attach: [{ name: "state", path }], memoryMb: 50 })).pipe(
    Effect.as(null),
    Effect.catchIf(isHeld, (error) => Effect.succeed(error.holderPid))
  )
})
