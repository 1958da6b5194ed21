/** Two runs side by side, as a person reads it. */
import type { Change, Overlap, Pair, RunComparison, StepComparison } from "../store/compare-runs.ts"
import { formatCount, formatUsd } from "./format.ts"
import { textTable } from "./table.ts"

const valueCharactersMax = 60

export const compareText = ({ runs, items, dispositions, steps, stepsOnly }: RunComparison): string => {
  const sections = [
    textTable(
      ["", "run", "job", "status", "plan", "spent"],
      (["a", "b"] as const).map((side) => {
        const { run, job, status, planDigest, spentUsd } = runs[side]
        return [side.toUpperCase(), run, job, status, planDigest.slice(0, 12), formatUsd(spentUsd)]
      })
    ),
    `Items: ${overlapText(items)}`,
    ...(dispositions.length === 0 ? [] : [`Ended differently\n${changeLines(dispositions)}`]),
    ...steps.map(stepText),
    ...onlyText("Steps", stepsOnly),
    ...(steps.length === 0 ? ["The two runs have no step in common that asks a model."] : [])
  ]
  return sections.join("\n\n")
}

const overlapText = ({ both, onlyA, onlyB }: Overlap): string =>
  [
    `${formatCount(both)} in both`,
    ...(onlyA > 0 ? [`${formatCount(onlyA)} only in A`] : []),
    ...(onlyB > 0 ? [`${formatCount(onlyB)} only in B`] : [])
  ].join(", ")

const changeLines = (changes: ReadonlyArray<Change>): string =>
  changes.map(({ a, b, items }) => `  ${shown(a)} → ${shown(b)}: ${formatCount(items)}`).join("\n")

const shown = (value: string | null): string => {
  const text = value === null ? "nothing" : value === "" ? '""' : value.replaceAll(/\s+/g, " ")
  return text.length > valueCharactersMax ? `${text.slice(0, valueCharactersMax - 1)}…` : text
}

const stepText = (step: StepComparison): string => {
  const { answers, same, columns, columnsOnly, confidence, calls, costUsd, examples } = step
  const changed = columns.filter(({ changes }) => changes.length > 0)
  return [
    `${step.step}: answered ${overlapText(answers)}${answers.both === 0 ? "" : `; ${shareText(same, answers.both)} of those in both are the same`}`,
    `  confidence ${meanText(confidence.a)} → ${meanText(confidence.b)} · calls ${formatCount(calls.a)} → ${formatCount(calls.b)} · cost ${costText(costUsd.a)} → ${costText(costUsd.b)}`,
    ...(columns.length === 0 || answers.both === 0 ? [] : [indented(columnTable(step))]),
    ...changed.map(({ name, changes }) => `  ${name}\n${indented(changeLines(changes))}`),
    ...onlyText("  Columns", columnsOnly),
    ...(examples.length === 0
      ? []
      : [
          `  Items that differ${examples.length < 20 ? "" : ", the first 20"}`,
          ...examples.map(
            ({ key, differs }) => `    ${key}  ${differs.map(({ column, a, b }) => `${column}: ${shown(a)} → ${shown(b)}`).join("; ")}`
          )
        ])
  ].join("\n")
}

const columnTable = ({ columns, answers }: StepComparison): string =>
  textTable(
    ["column", "same", "", "mean of B − A"],
    columns.map(({ name, same, meanDifference }) => [
      name,
      formatCount(same),
      shareText(same, answers.both),
      meanDifference === null ? "" : signed(meanDifference)
    ])
  )

const indented = (text: string): string => text.replaceAll(/^/gm, "  ")

/** Rounded down: 100 % is all of them. */
const shareText = (part: number, of: number): string => `${(Math.floor((part / of) * 1_000) / 10).toFixed(1)} %`
const meanText = (mean: number | null): string => (mean === null ? "unknown" : mean.toFixed(3))
const costText = (usd: number | null): string => (usd === null ? "unknown" : formatUsd(usd))
const signed = (value: number): string => `${value > 0 ? "+" : ""}${Number(value.toPrecision(3))}`

const onlyText = (what: string, only: Pair<ReadonlyArray<string>>): ReadonlyArray<string> => [
  ...(only.a.length === 0 ? [] : [`${what} of A alone: ${only.a.join(", ")}`]),
  ...(only.b.length === 0 ? [] : [`${what} of B alone: ${only.b.join(", ")}`])
]
