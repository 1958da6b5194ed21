/** What a terminal shows while a run works: a block that redraws itself, or plain lines where nobody watches. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"

import type { Progress } from "../execute/progress.ts"
import { etaText } from "./eta-text.ts"
import { formatCount, formatSeconds } from "./format.ts"

const plainEveryMs = 5_000

/** Where progress goes; `isQuiet` for `--json`, whose reader has the exit code: then only waiting is told, once, and its end. */
export const makeProgress = (isQuiet: boolean): Effect.Effect<(progress: Progress) => Effect.Effect<void>, never, Scope.Scope> =>
  process.stderr.isTTY && !isQuiet ? liveBlock : isQuiet ? troubleLines : plainLines

const liveBlock = Effect.gen(function* () {
  const { createLogUpdate } = yield* Effect.promise(() => import("log-update"))
  const colours = (yield* Effect.promise(() => import("picocolors"))).default
  const update = createLogUpdate(process.stderr, { showCursor: true })
  yield* Effect.addFinalizer(() => Effect.sync(() => update.done()))
  return (progress: Progress) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const eta = progress.phase === "work" ? etaText(progress, new Date(now)) : null
      const due = eta === null ? "" : `\n${eta.includes("LATE") ? colours.yellow(eta) : eta}`
      update(`${blockOf(progress, process.stderr.columns ?? 80, colours.dim, colours.yellow)}${due}`)
    })
})

const blockOf = (progress: Progress, columns: number, dim: (text: string) => string, warn: (text: string) => string): string => {
  const { manifest, committed, trouble } = progress
  const share = manifest === 0 ? 0 : committed / manifest
  const width = Math.max(10, Math.min(40, columns - 40))
  const filled = Math.round(share * width)
  const bar = progress.phase === "work" ? `${"█".repeat(filled)}${dim("░".repeat(width - filled))} ${(share * 100).toFixed(1)} %\n` : ""
  return `${bar}${lineOf(progress)}${trouble === null ? "" : `\n${warn(`waiting: ${trouble}`)}`}`
}

const plainLines = Effect.sync(() => {
  let last = Number.NEGATIVE_INFINITY
  return (progress: Progress) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (now - last < plainEveryMs) return Effect.void
      last = now
      const eta = progress.phase === "work" ? etaText(progress, new Date(now)) : null
      return Effect.sync(
        () =>
          void process.stderr.write(
            `${lineOf(progress)}${eta === null ? "" : ` · ${eta}`}${progress.trouble === null ? "" : ` · waiting: ${progress.trouble}`}\n`
          )
      )
    })
})

const troubleLines = Effect.gen(function* () {
  let told: Pick<Progress, "run" | "trouble"> | null = null
  const tell = ({ run, trouble }: Pick<Progress, "run" | "trouble">): void => {
    if (trouble === (told?.trouble ?? null)) return
    told = { run, trouble }
    process.stderr.write(trouble === null ? `${run} goes on.\n` : `${run} waits: ${trouble}\n`)
  }
  // What went on and came to its end between two looks is told here.
  yield* Effect.addFinalizer((exit) => Effect.sync(() => told !== null && Exit.isSuccess(exit) && tell({ ...told, trouble: null })))
  return (progress: Progress) => Effect.sync(() => tell(progress))
})

/** One line: where the run is, how fast, and what became of the items. */
const lineOf = ({ run, phase, rows, sweep, manifest, committed, perSecond, remainingSeconds, dispositions }: Progress): string => {
  if (phase === "manifest") return `${run}: building the manifest, ${formatCount(rows)} rows read`
  if (phase === "closing") return `${run}: ${formatCount(committed)} items done; checking, aggregating, reporting`
  const pace = perSecond === null ? "" : ` · ${formatCount(perSecond)}/s`
  const left = remainingSeconds === null ? "" : ` · ${formatSeconds(remainingSeconds)} left`
  const ended = Object.entries(dispositions).flatMap(([disposition, items]) =>
    items > 0 ? [`${formatCount(items)} ${wordsOf(disposition, items)}`] : []
  )
  const again = sweep === null ? "" : ` · sweep ${sweep.sweep}: ${formatCount(sweep.items)} asked again`
  return `${run}: ${formatCount(committed)} of ${formatCount(manifest)}${again}${pace}${left}${ended.length > 0 ? ` · ${ended.join(", ")}` : ""}`
}

const wordsOf = (disposition: string, items: number): string => {
  if (disposition === "dead") return items === 1 ? "dead letter" : "dead letters"
  if (disposition === "held") return "held back"
  return disposition === "review" ? "in review" : disposition
}
