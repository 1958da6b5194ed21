/** A plan as a person reads it. */
import type { Plan } from "../../dsl/index.ts"
import type { Estimate, InputEstimate } from "../execute/estimate.ts"
import type { SampledRejection } from "../execute/sample.ts"
import { formatBytes, formatCount, formatMinute, formatSeconds, formatUsd } from "./format.ts"
import { stepList } from "./plan-graph.ts"
import { priceLine, priceSection } from "./price-text.ts"
import { textTable } from "./table.ts"

export interface PlanView {
  readonly plan: Plan
  /** `--budget`; the job's own without it. */
  readonly budgetUsd: number
  readonly codeVersion: string
  readonly estimate: Estimate
  readonly rejections: ReadonlyArray<SampledRejection & { readonly at: string }>
  /** Why the input wasn't read; null where it was. */
  readonly unread: string | null
  readonly freeBytes: number
  readonly nextFires: ReadonlyArray<{
    readonly utc: string
    readonly local: string
    readonly expectedEnd: string | null
    readonly due: string
  }>
  readonly warnings: ReadonlyArray<string>
  readonly mermaid: string | null
}

const labelsMax = 12
const examplesMax = 3

export const planText = (view: PlanView): string => {
  const { plan, estimate, warnings } = view
  const sections = [
    `${plan.job}\n${fields(head(view))}`,
    `Steps\n${indented(stepList(plan))}`,
    `A run\n${fields(figures(view))}`,
    ...priceSection(estimate.price),
    ...labelTable(estimate),
    ...fireTable(view),
    ...(view.mermaid === null ? [] : [`\`\`\`mermaid\n${view.mermaid}\n\`\`\``]),
    ...(warnings.length === 0 ? [] : [warnings.map((warning) => `Warning: ${warning}`).join("\n")])
  ]
  return sections.join("\n\n")
}

type Field = readonly [name: string, text: string]

const fields = (all: ReadonlyArray<Field>): string =>
  indented(all.map(([name, text]) => `${name.padEnd(15)} ${text.replaceAll("\n", `\n${" ".repeat(16)}`)}`).join("\n"))
const indented = (text: string): string => text.replaceAll(/^/gm, "  ")

const head = ({ plan, budgetUsd, codeVersion }: PlanView): ReadonlyArray<Field> => [
  ["owner", plan.owner],
  ["purpose", plan.purpose],
  ["classification", plan.classification],
  ["consumers", plan.consumers.length === 0 ? "none" : plan.consumers.join(", ")],
  ...(plan.release?.exports ?? []).map(
    ({ format, folder, step }, index) => [index === 0 ? "exports" : "", `${step ?? "every last step"} as ${format} to ${folder}`] as const
  ),
  ["budget", `${formatUsd(budgetUsd)} a run${budgetUsd === plan.budgetUsd ? "" : `; the job's own is ${formatUsd(plan.budgetUsd)}`}`],
  [
    "deadline",
    plan.schedule === null ? "none: the job has no schedule" : `${formatSeconds(plan.schedule.withinMs / 1_000)} after each fire time`
  ],
  ["plan", `${plan.digest.slice(0, 12)}, code ${codeVersion}`]
]

const figures = ({ plan, estimate, rejections, unread, freeBytes }: PlanView): ReadonlyArray<Field> => {
  const { input, partitions, throughput, workers, seconds, diskBytes, price, checkpointsPerItem } = estimate
  const pace = `${formatCount(throughput.itemsPerMinute)} items a minute for each, ${paceSources[throughput.source]}`
  return [
    ["items", input === null ? `unknown${unread === null ? "" : `: ${unread}`}` : itemsText(input)],
    ...(input === null || input.rejected === 0 ? [] : [["rejected rows", rejectedText(input, rejections)] as const]),
    ["partitions", partitions === null ? (input?.precision === "exact" ? "none" : "unknown") : partitionsText(partitions)],
    ["workers", `${workersText(plan, workers)}; ${pace}`],
    [
      "duration",
      seconds === null ? "unknown" : `about ${formatSeconds(seconds)} with ${workers.start} ${workers.start === 1 ? "worker" : "workers"}`
    ],
    [
      "disk",
      diskBytes === null
        ? "unknown"
        : `about ${formatBytes(diskBytes)} at ${checkpointsPerItem} checkpoint${checkpointsPerItem === 1 ? "" : "s"} an item; ${formatBytes(freeBytes)} free`
    ],
    ["price", priceLine(price, input)]
  ]
}

const paceSources = {
  measured: "measured by the job's last run",
  declared: "as the model declares",
  assumed: "assumed until a run has measured it"
} as const

const itemsText = (input: InputEstimate): string =>
  input.precision === "exact"
    ? formatCount(input.items)
    : `${input.precision} ${formatCount(rounded(input.items))}: ${formatCount(input.rowsRead)} rows were read`

/** A large reckoned number has three digits that mean something. */
const rounded = (count: number): number => {
  if (count < 10_000) return count
  const unit = 10 ** (Math.floor(Math.log10(count)) - 2)
  return Math.round(count / unit) * unit
}

const rejectedText = ({ rejected, precision }: InputEstimate, rejections: PlanView["rejections"]): string => {
  const byCode = Map.groupBy(rejections, ({ code }) => code)
  const counts = [...byCode].map(([code, rows]) => `${formatCount(rows.length)} ${code}`).join(", ")
  const examples = rejections.slice(0, examplesMax).map(({ at, reason }) => `\n${at}: ${reason}`)
  const more = rejections.length > examplesMax ? `\n… and ${formatCount(rejections.length - examplesMax)} more` : ""
  return `${precision === "exact" ? formatCount(rejected) : `${precision} ${formatCount(rounded(rejected))}; of the rows read`} (${counts})${examples.join("")}${more}`
}

const partitionsText = ({ count, strategy, skew }: NonNullable<Estimate["partitions"]>): string => {
  const times = (ratio: number | null): string => (ratio === null ? "" : `${ratio.toFixed(2)} ×`)
  const uneven =
    count < 2
      ? ""
      : `; the largest has ${times(skew.items)} the mean items${skew.weight === null ? "" : ` and ${times(skew.weight)} the mean weight`}`
  return `${formatCount(count)}, ${strategies[strategy] ?? strategy}${uneven}`
}

const strategies: Readonly<Record<string, string>> = {
  hash: "by a hash of the key",
  by: "by a field",
  tiers: "by size tiers",
  weight: "balanced by weight"
}

const workersText = (plan: Plan, { minimum, start }: Estimate["workers"]): string =>
  plan.schedule === null
    ? `a run starts with ${start}, and no deadline asks for more`
    : minimum === null
      ? "as many as the deadline asks for, once the items are counted"
      : `at least ${minimum} to meet the deadline; a run starts with ${start}, and gets more where it lags behind`

const labelTable = ({ partitions }: Estimate): ReadonlyArray<string> => {
  if (partitions === null || partitions.labels.length === 0) return []
  const shown = partitions.labels.toSorted((a, b) => b.items - a.items).slice(0, labelsMax)
  const rest = partitions.labels.length - shown.length
  const table = textTable(
    ["label", "items", "partitions"],
    shown.map(({ label, items, partitions: count }) => [label, formatCount(items), formatCount(count)])
  )
  return [`Labels\n${indented(table)}${rest === 0 ? "" : `\n  … and ${formatCount(rest)} more`}`]
}

const fireTable = ({ plan, nextFires }: PlanView): ReadonlyArray<string> => {
  if (plan.schedule === null) return []
  const { expression, timeZone } = plan.schedule
  const offset = (iso: string): string => /([+-]\d\d:\d\d|Z)$/.exec(iso)?.[0] ?? ""
  return [
    `Next fire times of ${expression}\n${indented(
      textTable(
        [timeZone, "UTC", "expected end", "due"],
        nextFires.map(({ local, utc, expectedEnd, due }) => [
          `${formatMinute(local)} ${offset(local)}`,
          formatMinute(utc),
          expectedEnd === null ? "unknown" : formatMinute(expectedEnd),
          formatMinute(due)
        ])
      )
    )}`
  ]
}
