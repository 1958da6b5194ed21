/** Another process that has a run's files open, until the scope ends. */
import { fork, type ChildProcess } from "node:child_process"
import { once } from "node:events"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import { openStateFolder } from "../../runtime/store/state-folder.ts"
import { openSampleRun } from "./store-run.ts"

export const holdRun = (root: string, run: string): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = fork(import.meta.filename, [root, run])
      await once(child, "message")
      return child
    }),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )

if (process.argv[1] === import.meta.filename) {
  const [root = "", run = ""] = process.argv.slice(2)
  const hold = Effect.gen(function* () {
    yield* openSampleRun(yield* openStateFolder(root), { run, items: 0 })
    // A listener keeps the process alive.
    process.on("message", () => undefined)
    process.on("disconnect", () => process.exit())
    process.send?.("held")
    return yield* Effect.never
  })
  await Effect.runPromise(Effect.scoped(hold))
}
