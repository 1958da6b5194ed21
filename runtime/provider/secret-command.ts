/** Asks a secret manager's command for a key (SEC-1). */
import { spawn } from "node:child_process"

import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

/** A command that takes longer is stopped: a secret manager that waits for a person at night waits for ever. */
const commandSecondsMax = 10
/** A key is one line; what writes more than this is no secret manager. */
const outputBytesMax = 65_536

/**
 * The first line of the command's stdout, or why there is none. Neither its arguments nor what it wrote are ever named: both may hold
 * secrets. Its stderr goes nowhere. An interruption kills it.
 */
export const askSecretCommand = (
  command: readonly [string, ...ReadonlyArray<string>],
  folder: string
): Effect.Effect<Result.Result<string, string>> =>
  run(command, folder).pipe(
    Effect.timeoutOrElse({
      duration: `${commandSecondsMax} seconds`,
      orElse: () => Effect.succeed(Result.fail(`gave no answer in ${commandSecondsMax} seconds and was stopped`))
    })
  )

const run = ([name, ...args]: readonly [string, ...ReadonlyArray<string>], folder: string) =>
  Effect.callback<Result.Result<string, string>>((resume) => {
    const end = (result: Result.Result<string, string>): void => resume(Effect.succeed(result))
    const child = spawn(name, args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] })
    const stop = (): void => {
      child.kill("SIGKILL")
      // A grandchild may hold the other end, and would keep this process alive.
      child.stdout.destroy()
    }
    let output = ""
    child.stdout.setEncoding("utf8")
    child.stdout.on("data", (chunk: string) => {
      output += chunk
      if (output.length <= outputBytesMax) return
      stop()
      end(Result.fail(`wrote more than ${outputBytesMax} bytes`))
    })
    child.on("error", (error) => end(Result.fail(`can't be started (${"code" in error ? String(error.code) : "unknown error"})`)))
    child.on("exit", (code, signal) => {
      if (code !== 0) end(Result.fail(code === null ? `was ended by ${signal}` : `ended with exit code ${code}`))
    })
    // Only now is all of stdout here.
    child.on("close", () => {
      const line = firstLineOf(output)
      end(line === "" ? Result.fail("wrote nothing") : Result.succeed(line))
    })
    return Effect.sync(stop)
  })

/** Where a key stands in a file or an output: before the first line break. */
export const firstLineOf = (text: string): string => (text.trimStart().split(/[\r\n]/, 1)[0] ?? "").trim()
