/** What the run came to, in words, and what to type next. */
import type { GateReport, RunReport } from "./run-report.ts"
import { outcomesOf, settledItems } from "./disposition.ts"
import { count, dollars, duration, plural } from "./text.ts"
import type { Clock } from "./text.ts"

/** `good` needs nobody; `open` needs someone some time; `bad` needs someone now. */
export type Tone = "good" | "open" | "bad"

export interface Verdict {
  readonly tone: Tone
  /** One word or two. */
  readonly status: string
  readonly headline: string
  /** Whole sentences. */
  readonly details: ReadonlyArray<string>
}

export const verdictOf = (report: RunReport, clock: Clock): Verdict => {
  const { dead, review, held } = report.dispositions
  const isDone = report.status === "done"
  const tone = report.status === "failed" || isAlarming(report) ? "bad" : isDone && dead + review + held === 0 ? "good" : "open"
  const word = statuses[report.status] ?? report.status
  const status = isAlarming(report)
    ? `${word}, incomplete`
    : isDone && tone === "open"
      ? `${word}, ${count(dead + review + held)} to look at`
      : word
  return { tone, status, headline: headline(report), details: details(report, clock) }
}

/** Rows set aside before the manifest. */
export const rejectedRows = ({ rejected }: RunReport): number => rejected.reduce((sum, { rows }) => sum + rows, 0)

/** Whether SQL found no gap and the numbers on the page add up as well. */
export const isComplete = (report: RunReport): boolean =>
  report.completeness.holds && report.rowsRead === report.manifest + rejectedRows(report) && report.manifest === settledItems(report)

/** A run that is done and lost something: nothing on the page is more urgent. */
export const isAlarming = (report: RunReport): boolean => report.status === "done" && !isComplete(report)

const headline = (report: RunReport): string => {
  const { delivered } = report.dispositions
  if (report.manifest === 0) {
    if (report.status !== "done") return "0 items so far"
    return report.rowsRead === 0
      ? "0 items: nothing came in"
      : `0 items: ${report.rowsRead === 1 ? "the one row read was" : `all ${count(report.rowsRead)} rows read were`} rejected`
  }
  if (delivered === report.manifest) return delivered === 1 ? "1 item, delivered" : `${count(report.manifest)} items, all delivered`
  const said = outcomesOf(report).flatMap(({ items, word }) => (items > 0 ? [`${count(items)} ${word}`] : []))
  return `${plural(report.manifest, "item")}: ${said.join(", ") || "none finished"}`
}

const details = (report: RunReport, clock: Clock): ReadonlyArray<string> => {
  const rejected = rejectedRows(report)
  const spent = `${dollars(report.money.spentUsd)} spent of ${dollars(envelopeOf(report))}`
  return [
    report.endedAt === null
      ? `Started ${clock.moment(report.startedAt)}, at work for ${duration(report.seconds)}; ${spent}.`
      : `Ended ${clock.moment(report.endedAt)} after ${duration(report.seconds)} of work; ${spent}.`,
    ...(rejected === 0 ? [] : [`${plural(rejected, "row")} could not be used and ${rejected === 1 ? "was" : "were"} set aside.`]),
    ...(report.flagged === 0 ? [] : [`${plural(report.flagged, "item")} carr${report.flagged === 1 ? "ies" : "y"} an advisory flag.`]),
    ...(report.retries.retried === 0
      ? []
      : [
          `${plural(report.retries.retried, "item")} failed at first and ${report.retries.retried === 1 ? "was" : "were"} asked again, in ${plural(report.retries.sweeps, "sweep")}.`
        ]),
    ...(report.sessions > 1 ? [`It took ${count(report.sessions)} processes: the run was resumed.`] : []),
    ...report.gates.flatMap(closedAt),
    ...(report.status === "done" ? [completeness(report)] : [])
  ]
}

/** What a no at a gate meant, and whose it was. */
const closedAt = ({ gate, kind, decision }: GateReport): ReadonlyArray<string> => {
  if (decision !== "rejected" && decision !== "expired") return []
  const isRelease = kind === "quality" || kind === "release"
  const came = isRelease ? "nothing was released" : "what was open was held back without a call"
  if (decision === "expired") return [`Nobody decided in time at its ${kind} gate ${gate}: ${came}.`]
  return [isRelease ? `A person refused its release, at gate ${gate}: ${came}.` : `A person closed it early, at gate ${gate}: ${came}.`]
}

const completeness = (report: RunReport): string => {
  if (!isComplete(report)) return "Not every row is accounted for."
  return report.rowsRead === 0 ? "No row was read, none is missing." : "Every row read is accounted for."
}

const statuses: Readonly<Record<string, string>> = {
  preparing: "Preparing",
  running: "Running",
  waiting: "Waiting at a gate",
  interrupted: "Interrupted",
  cancelled: "Cancelled",
  failed: "Failed",
  done: "Done"
}

/** A command and what it is good for. */
export interface NextStep {
  readonly command: string
  readonly use: string
}

/** What to type next, the most urgent first; empty when nothing is open. */
export const nextSteps = (report: RunReport): ReadonlyArray<NextStep> => {
  const { run, status, dispositions } = report
  const { dead, review, held } = dispositions
  const rows = (view: string, filter = "") => `runtime sql "select * from ${view} where run = ${literal(run)}${filter}"`
  const gap = report.completeness.gaps[0]
  return [
    ...(status === "running" || status === "preparing" ? [{ command: `runtime status ${run}`, use: "is it still at work?" }] : []),
    ...(status === "waiting" ? gateSteps(report) : []),
    ...(status === "done" || status === "waiting"
      ? []
      : [{ command: `runtime resume ${run}`, use: "goes on from the checkpoints; nothing finished is paid twice" }]),
    ...(status === "done" && gap !== undefined
      ? [{ command: rows("checkpoints", ` and item_id = ${literal(gap)}`), use: "how far the first unaccounted item came" }]
      : []),
    ...(dead > 0 ? [{ command: rows("dead_letters"), use: `lists the ${plural(dead, "dead letter")}` }] : []),
    ...(review > 0 ? [{ command: rows("reviews"), use: `lists what waits for review: ${plural(review, "item")}` }] : []),
    ...(dead + review + held + report.flagged > 0
      ? [{ command: "runtime trace ITEM_KEY", use: "everything known of one item: input, prompt, answers, verdicts" }]
      : [])
  ]
}

/** The budget, and what people added to it. */
export const envelopeOf = ({ money, gates }: RunReport): number =>
  gates.reduce((sum, { decision, addUsd }) => sum + (decision === "approved" ? (addUsd ?? 0) : 0), money.budgetUsd)

const gateSteps = ({ gates }: RunReport): ReadonlyArray<NextStep> =>
  gates.flatMap(({ gate, decision }) =>
    decision === null
      ? [
          { command: "runtime gates", use: "what it waits for, and how to let it go on" },
          { command: `runtime reject ${gate}`, use: "closes it: what is open is held back, what isn't released stays so" }
        ]
      : []
  )

// Within double quotes of a shell, within single quotes of SQL.
const literal = (value: string): string => `'${value.replaceAll("'", "''").replace(/[\\$"`]/g, "\\$&")}'`
