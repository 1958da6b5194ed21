/** Watches over job code from another thread, and over its ending the process: both leave a note for the next session, and a word for the operator. */
import * as fs from "node:fs"
import * as inspector from "node:inspector"
import { Worker } from "node:worker_threads"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import { appendLine } from "../store/crash-log.ts"
import type { RunFolder } from "../store/state-folder.ts"
import { currentSite, noteAt, onSites, threadNote } from "./thread-note.ts"

export interface WatchdogOptions {
  readonly run: string
  readonly runFolder: RunFolder
  readonly session: number
  readonly codeVersion: string
  /** How long one call of a callback may hold the thread. */
  readonly boundMs: number
  /** Whether a program reads stdout. */
  readonly asJson: boolean
}

/** What the watchdog's thread is started with. */
export interface WatchdogData extends Omit<WatchdogOptions, "runFolder"> {
  readonly note: Int32Array
  readonly noteAt: typeof noteAt
  readonly tickMs: number
  readonly crashes: string
  readonly pid: number
}

/** Until the scope ends. */
export const openWatchdog = (options: WatchdogOptions): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => start(options)),
      (stop) => Effect.promise(stop)
    )
  )

const start = ({ runFolder, ...options }: WatchdogOptions): (() => Promise<unknown>) => {
  const { crashes } = runFolder
  const tickMs = Math.min(250, options.boundMs / 20)
  const workerData: WatchdogData = { ...options, note: threadNote, noteAt, tickMs, crashes, pid: process.pid }
  const file = new URL(`./watchdog-worker${import.meta.url.slice(-3)}`, import.meta.url)
  // Its stdout and stderr would go through the thread that it watches.
  const worker = new Worker(file, { workerData, execArgv: [] })
  worker.unref()
  worker.on("message", () => {
    Atomics.add(threadNote, noteAt.beats, 1)
    threadNote[noteAt.isInspected] = inspector.url() === undefined ? 0 : 1
  })
  // Without it the run is as it was before there was one.
  worker.on("error", (cause) => process.stderr.write(`Nothing watches over job code that hangs: ${cause.message}\n`))
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A worker, not a window.
  const stopListening = onSites((number, name) => worker.postMessage([number, name]))
  const onExit = (): void => tellExit({ runFolder, ...options })
  process.on("exit", onExit)
  return () => {
    process.off("exit", onExit)
    stopListening()
    return worker.terminate()
  }
}

/** The process ends while the run is open: by `process.exit` in job code, or an error thrown where nobody could catch it. */
const tellExit = ({ run, runFolder, session, codeVersion, asJson }: WatchdogOptions): void => {
  const site = currentSite()
  const ended = "ended the process (process.exit, or an error that nobody caught)"
  const goOn = `\`runtime resume ${run}\` goes on`
  const where =
    site === null
      ? `the job's code ${ended} outside of a callback. ${goOn}; items that were in job code at two such ends run alone, until the one is found.`
      : site.seq === null
        ? `${site.callback} of step ${site.step} ${ended}. Mend it, then \`runtime resume ${run}\`.`
        : `${site.callback} of step ${site.step} ${ended} at item ${site.seq} of the manifest. \`runtime resume ${run}\` dead-letters that item as crashed and goes on.`
  const message = `Run ${run}: ${where} Everything that is done stays.`
  try {
    if (site !== null) appendLine(runFolder.crashes, { session, codeVersion, kind: "exited", ...site })
    fs.writeSync(2, `${message}\n`)
    if (asJson) fs.writeSync(1, `${JSON.stringify({ error: { tag: "ProcessEnded", message } })}\n`)
  } finally {
    // Whatever it was called with: the run isn't done.
    process.exitCode = 1
  }
}
