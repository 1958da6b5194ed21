/** An item's history as text: one block a run, oldest first. */
import type { ItemHistory, PayloadHistory, RunHistory } from "../store/trace-item.ts"
import { textTable } from "./table.ts"

const textShown = 600

export const traceText = ({ key, itemId, runs }: ItemHistory): string =>
  [`${key ?? "(key unknown)"}   item_id ${itemId}`, ...runs.map(runText)].join("\n\n")

type Row = Readonly<Record<string, unknown>>

const runText = (history: RunHistory): string => {
  const { run, checkpoints, attempts } = history
  return [
    `Run ${text(run["run"])} of job ${text(run["job"])}, ${text(run["status"])}, for ${text(run["logical_time"])}${
      (run["origin"] ?? null) === null ? "" : `, linked to run ${text(run["origin"])}`
    }`,
    ...payloadText(history.payload),
    ...(attempts.length === 0
      ? []
      : [
          textTable(
            ["step", "try", "model", "version", "prompt", "code", "outcome", "at", "ms", "cost", "confidence"],
            attempts.map((row) =>
              cells(row, [
                "step",
                "attempt",
                "model",
                "model_version",
                "prompt_version",
                "code_version",
                "outcome",
                "started_at",
                "ms",
                "cost_usd",
                "confidence"
              ])
            )
          )
        ]),
    ...(checkpoints.length === 0
      ? []
      : [
          textTable(
            ["step", "status", "ended as", "why", "rule", "at"],
            checkpoints.map((row) => cells(row, ["step", "status", "disposition", "code", "rule", "completed_at"]))
          )
        ]),
    ...history.flags.map((row) => `Flagged by rule ${text(row["rule"])} of ${text(row["step"])}.`),
    ...history.decisions.map(decisionText)
  ].join("\n")
}

/** In words: who decided what, when, and why. */
export const decisionText = (row: Row): string => {
  const why = [row["cause"], row["note"]].flatMap((each) => (each === null || each === undefined ? [] : [text(each)])).join(": ")
  const linked = (row["linked_run"] ?? null) === null ? "" : `, in run ${text(row["linked_run"])}`
  return `Decision: ${text(row["action"])} by ${text(row["decided_by"])} at ${text(row["decided_at"])}${linked}${why === "" ? "" : ` (${why})`}`
}

const payloadText = (payload: PayloadHistory): ReadonlyArray<string> => {
  if (payload.state === "held")
    return [
      `Its content can't be read now: ${payload.holderPid === null ? "a process" : `process ${payload.holderPid}`} works on the run. Ask again when it is done.`
    ]
  if (payload.state === "gone") return ["Its content was destroyed by retention; the metadata below stays."]
  const { item, answers, problems, rejected, prompts } = payload
  return [
    ...(item === null
      ? []
      : [`From ${item.file}${item.line === null ? "" : `:${item.line}`}`, shortened(item.body ?? `referenced: ${item.reference ?? ""}`)]),
    ...rejected.map(({ file, line, reason }) => `Rejected: ${file}${line === null ? "" : `:${line}`}: ${reason}`),
    ...prompts.map(({ step, promptVersion, shape }) => `Prompt ${promptVersion} of ${step}: ${shortened(literalsOf(shape))}`),
    ...answers.map(({ step, attempt, model, output }) => `Answer of ${model ?? "?"} at ${step}, try ${attempt}: ${shortened(output)}`),
    ...problems.map(
      ({ step, attempt, message, raw }) =>
        `Problem at ${step}${attempt > 0 ? `, try ${attempt}` : ""}: ${message}${raw === null ? "" : `\n  the model said: ${shortened(raw)}`}`
    )
  ]
}

/** The instruction as the author wrote it, `…` where data stood. */
const literalsOf = (shape: string): string => {
  // Written by nightshift itself, as JSON of the prompt's shape.
  const messages = JSON.parse(shape) as ReadonlyArray<{ readonly role: string; readonly literals: ReadonlyArray<string> }>
  return messages.map(({ role, literals }) => `${role}: ${literals.join("…")}`).join(" | ")
}

const shortened = (long: string): string =>
  long.length <= textShown ? long : `${long.slice(0, textShown)}… (${long.length} characters; --json gives all)`

const cells = (row: Row, columns: ReadonlyArray<string>): ReadonlyArray<string> => columns.map((column) => text(row[column]))

const text = (value: unknown): string =>
  value === null || value === undefined
    ? ""
    : value instanceof Date
      ? value.toISOString()
      : typeof value === "number" && !Number.isInteger(value)
        ? value.toFixed(4)
        : String(value)
