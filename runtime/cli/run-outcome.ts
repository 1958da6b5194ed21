/** Executes a run for `run` and `resume`, writes its report, and says how it ended. */
import { basename, dirname } from "node:path"

import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Plan } from "../../dsl/index.ts"
import { planBegun } from "../execute/resume.ts"
import { executeRun, type RunOptions } from "../execute/run.ts"
import { WaitsAtGate } from "../execute/run-error.ts"
import { publishEnd } from "../execute/tell-end.ts"
import { readReport, writeReport } from "../execute/write-report.ts"
import type { RunReport } from "../report/run-report.ts"
import { envelopeOf } from "../report/verdict.ts"
import { forgetRun, recordRun, type RunIndexRow } from "../store/control.ts"
import { countsAsNo } from "../store/gate-expiry.ts"
import type { RunStart } from "../store/ledger.ts"
import { readRunStatus, type RunNow } from "../store/read-run-status.ts"
import type { StateFolder } from "../store/state-folder.ts"
import type { RunStatus } from "../store/state-tables.ts"
import { formatCount, formatSeconds, formatUsd } from "./format.ts"
import { noteMeasured } from "./note-measured.ts"
import { makeProgress } from "./progress-line.ts"
import { exitCodes, type Said } from "./verb.ts"

/** Runs to the end; the index in `control.duckdb` knows of the run before it starts and after it ended, however it did. */
export const runToOutcome = Effect.fn("Cli.runToOutcome")(function* (options: Omit<RunOptions, "onProgress">, asJson: boolean) {
  const { folder, start, plan } = options
  const startedAt = new Date(yield* Clock.currentTimeMillis)
  const row = indexRow(options, startedAt)
  yield* recordRun(folder, row)
  const onProgress = yield* makeProgress(asJson)
  const waits = yield* executeRun({ ...options, onProgress, asJson }).pipe(
    Effect.onExit((exit) => (exit._tag === "Success" ? Effect.void : noteStop(options, row, asJson, exit.cause))),
    Effect.as(null),
    Effect.catchIf((error) => error instanceof WaitsAtGate, Effect.succeed)
  )
  return waits === null ? yield* outcomeOf(folder, start, plan, row) : yield* waitingOutcome(folder, plan, waits)
}, Effect.scoped)

/** Of a run that waits for a person: what it came to so far, and what to type. Its page is written when it is done. */
export const waitingOutcome = Effect.fn("Cli.waitingOutcome")(function* (folder: StateFolder, plan: Plan, waits: WaitsAtGate) {
  const report = yield* readReport(folder, waits.run, plan)
  return { json: jsonOf(report, waits.gate, null), text: waits.message, exitCode: exitCodes.waitingAtGate } satisfies Said
})

/** Of a run that waits without a session having been begun: the index learns of it. */
export const waitingAtRest = Effect.fn("Cli.waitingAtRest")(function* (folder: StateFolder, start: RunStart, waits: WaitsAtGate) {
  const at = new Date(yield* Clock.currentTimeMillis)
  const now = yield* readRunStatus(folder.run(start.run), start.run)
  if (now !== null) yield* recordRun(folder, stoppedRow(indexRow({ start }, at), now, at))
  return yield* waitingOutcome(folder, yield* planBegun(start), waits)
})

/** For a run that is closed, and whose process died before it had told so. */
export const endToOutcome = Effect.fn("Cli.endToOutcome")(function* (folder: StateFolder, start: RunStart, command: string) {
  const plan = yield* planBegun(start)
  yield* publishEnd(folder, { run: start.run, plan, command })
  return yield* outcomeOf(folder, start, plan, indexRow({ start }, new Date(yield* Clock.currentTimeMillis)))
})

/** Of a closed run: writes its report, tells the index, and says what it came to. */
const outcomeOf = Effect.fnUntraced(function* (folder: StateFolder, start: RunStart, plan: Plan, row: RunIndexRow) {
  const { report, path } = yield* writeReport(folder, start.run, plan)
  const { dispositions, manifest } = report
  yield* recordRun(folder, {
    ...row,
    ...dispositions,
    status: "done" satisfies RunStatus,
    ended_at: new Date(yield* Clock.currentTimeMillis),
    sessions: report.sessions,
    manifest,
    spent_usd: report.money.spentUsd
  })
  // A few stopped items say nothing of the next whole run.
  if (start.origin === undefined) yield* noteMeasured(folder, report)
  const json = jsonOf(report, null, path)
  const isOpen = dispositions.dead + dispositions.review + dispositions.held > 0
  return { json, text: textOf(json, report), exitCode: isOpen ? exitCodes.doneWithOpenItems : exitCodes.done } satisfies Said
})

/** What programs are told of a run, done or waiting at `gate`. */
const jsonOf = (report: RunReport, gate: string | null, reportPath: string | null) => ({
  run: report.run,
  job: report.job,
  status: report.status,
  trial: report.trial,
  rowsRead: report.rowsRead,
  rejected: report.rowsRead - report.manifest,
  manifest: report.manifest,
  ...report.dispositions,
  flagged: report.flagged,
  seconds: report.seconds,
  spentUsd: report.money.spentUsd,
  estimateUsd: report.money.estimateUsd,
  ...report.usage,
  retried: report.retries.retried,
  sweeps: report.retries.sweeps,
  alerts: report.alerts.length,
  exports: report.exports.map(({ path }) => path),
  gate,
  reportPath
})

/** A run that stopped short: the index learns of it, and whoever stopped it is told how to go on. */
const noteStop = (
  options: Omit<RunOptions, "onProgress">,
  row: RunIndexRow,
  asJson: boolean,
  cause: Cause.Cause<unknown>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { folder, start } = options
    const now = yield* readRunStatus(folder.run(start.run), start.run)
    if (now === null) return yield* forgetRun(folder, start.run)
    if (now.status === "running") return
    yield* recordRun(folder, stoppedRow(row, now, new Date(yield* Clock.currentTimeMillis)))
    if (now.status === "waiting") return
    const goOn = `${formatCount(now.committed)} of ${formatCount(now.manifest)} items are done and stay so. Go on with \`runtime resume ${start.run}\`.`
    yield* Effect.sync(() => process.stderr.write(`Run ${start.run} is ${now.status}: ${goOn}\n`))
    if (asJson && Cause.hasInterrupts(cause)) yield* Effect.sync(() => process.stdout.write(`${JSON.stringify(now)}\n`))
  }).pipe(Effect.ignore)

/** The line of a run that a process has just left, done or not. */
export const stoppedRow = (row: RunIndexRow, { status, dispositions, manifest, spentUsd }: RunNow, endedAt: Date): RunIndexRow => ({
  ...row,
  ...dispositions,
  status: status === "crashed" ? "failed" : status,
  manifest,
  spent_usd: spentUsd,
  ended_at: endedAt
})

/** A line of the index before anything is known of how the run ends. */
export const indexRow = ({ start }: Pick<RunOptions, "start">, startedAt: Date): RunIndexRow => ({
  run: start.run,
  job: start.job,
  job_module: start.jobModule,
  logical_time: start.logicalTime,
  started_by: start.origin === undefined ? "manual" : "linked",
  trial: start.itemLimit !== null,
  status: "running",
  started_at: startedAt,
  ended_at: null,
  sessions: 1,
  manifest: null,
  delivered: null,
  dead: null,
  review: null,
  held: null,
  skipped: null,
  spent_usd: null,
  origin: start.origin ?? null
})

/** Whether a person, or nobody in time, kept its outputs back. */
const isRefused = ({ gates }: RunReport): boolean =>
  gates.some(({ kind, decision }) => (kind === "quality" || kind === "release") && countsAsNo(decision))

interface Outcome {
  readonly run: string
  readonly trial: boolean
  readonly rejected: number
  readonly manifest: number
  readonly delivered: number
  readonly dead: number
  readonly review: number
  readonly held: number
  readonly skipped: number
  readonly seconds: number
  readonly spentUsd: number
  readonly savedUsd: number
  readonly reportPath: string | null
}

const textOf = (outcome: Outcome, report: RunReport): string => {
  const { run, trial, rejected, manifest, delivered, dead, review, held, skipped, seconds, spentUsd, savedUsd, reportPath } = outcome
  const part = (items: number, words: string): ReadonlyArray<string> => (items > 0 ? [`${formatCount(items)} ${words}`] : [])
  const parts = [
    `${formatCount(delivered)} delivered`,
    ...part(review, "in review"),
    ...part(dead, dead === 1 ? "dead letter" : "dead letters"),
    ...part(held, "held back"),
    ...part(skipped, "skipped")
  ]
  return [
    ...report.reports.map(({ text }) => `${text.trimEnd()}\n`),
    `${run} is done${trial ? " (a trial: nothing was released)" : isRefused(report) ? " (its release was refused: nothing was released)" : ""}: ${formatCount(manifest)} items in ${formatSeconds(seconds)}, ${parts.join(", ")}.`,
    ...(rejected > 0
      ? [
          `${rejected === 1 ? "One row of the input was" : `${formatCount(rejected)} rows of the input were`} rejected; the report says which and why.`
        ]
      : []),
    `Spent ${formatUsd(spentUsd)} of ${formatUsd(envelopeOf(report))}${savedUsd > 0 ? `; batches, caches and reuse saved ${formatUsd(savedUsd)}` : ""}.`,
    ...(dead > 0 ? [`What was given up on, by cause: runtime dlq list --run ${run}`] : []),
    ...(review > 0 ? [`What waits for a person: runtime review list --run ${run}`] : []),
    ...exportLines(report),
    `Report: ${reportPath}`
  ].join("\n")
}

/** A line a folder: what lies in it says the rest. */
const exportLines = ({ exports }: RunReport): ReadonlyArray<string> =>
  [...Map.groupBy(exports, ({ path }) => dirname(path))].map(
    ([folder, files]) => `Exported: ${folder} (${files.map(({ path }) => basename(path)).join(", ")})`
  )
