import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { createReadStream, mkdtempSync, rmSync } from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { describe, expect } from "vitest"

import { askSecretCommand } from "../../../runtime/provider/secret-command.ts"

const shell = (script: string): readonly [string, ...ReadonlyArray<string>] => ["sh", "-c", script]
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(path.join(os.tmpdir(), "nightshift-command-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true }))
)

/** A command that lives longer than the test, and a pipe that opens when it starts and ends when it is gone. */
const longCommand = Effect.gen(function* () {
  const pipe = path.join(yield* folder, "pipe")
  expect(spawnSync("mkfifo", [pipe]).status).toBe(0)
  const fiber = yield* Effect.forkChild(askSecretCommand(shell(`exec 3>'${pipe}'; echo started >&3; echo half-a-key; exec sleep 600`), "/"))
  yield* Effect.yieldNow
  const life = createReadStream(pipe)
  // Listens from the start: the end may come before anybody waits for it.
  const ended = once(life, "end")
  yield* Effect.promise(() => once(life, "data"))
  return { fiber, isGone: Effect.promise(() => ended) }
})

describe("a secret manager's command", () => {
  it.effect("[SEC-1] gives the first line that it writes", () =>
    Effect.gen(function* () {
      expect(yield* askSecretCommand(shell("echo; echo 'key-one  '; echo login: desk; echo noise >&2"), "/")).toEqual(
        Result.succeed("key-one")
      )
      expect(yield* askSecretCommand(["pwd"], "/usr")).toEqual(Result.succeed("/usr"))
      expect(yield* askSecretCommand(["printf", "%s", "no-line-end; $HOME"], "/")).toEqual(Result.succeed("no-line-end; $HOME"))
    })
  )

  it.effect("[SEC-1] a fault says what happened, and neither its arguments nor its output", () =>
    Effect.gen(function* () {
      expect(yield* askSecretCommand(shell("echo sk-half-a-key; exit 3"), "/")).toEqual(Result.fail("ended with exit code 3"))
      expect(yield* askSecretCommand(["nightshift-no-such-command", "sk-argument"], "/")).toEqual(Result.fail("can't be started (ENOENT)"))
      expect(yield* askSecretCommand(shell("kill -9 $$"), "/")).toEqual(Result.fail("was ended by SIGKILL"))
      expect(yield* askSecretCommand(["true"], "/")).toEqual(Result.fail("wrote nothing"))
      expect(yield* askSecretCommand(["yes"], "/")).toEqual(Result.fail("wrote more than 65536 bytes"))
    })
  )

  it.effect("[SEC-1] one that waits for a person is stopped after ten seconds", () =>
    Effect.gen(function* () {
      const { fiber, isGone } = yield* longCommand
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toEqual(Result.fail("gave no answer in 10 seconds and was stopped"))
      yield* isGone
    }).pipe(Effect.scoped)
  )

  it.effect("[SEC-1] an interruption kills it", () =>
    Effect.gen(function* () {
      const { fiber, isGone } = yield* longCommand
      yield* Fiber.interrupt(fiber)
      yield* isGone
    }).pipe(Effect.scoped)
  )
})
