/** The parts of a report below its verdict: plots, accounts, tables. */
import { html } from "./markup.ts"
import type { Html } from "./markup.ts"
import { causesMax, plotCauses } from "./outcomes.ts"
import { plotConfidence, plotPartitions, plotThroughput } from "./plots.ts"
import type { RunReport } from "./run-report.ts"
import { renderValues } from "./summary.ts"
import { causeTable, facts, partitionTable, rejectionTable, stepTable } from "./tables.ts"
import { count, dollars, duration, none, percent, plain, plural } from "./text.ts"
import type { Clock } from "./text.ts"
import { isComplete, rejectedRows, settledItems } from "./verdict.ts"

/** Every plot that has something to show. */
export const plotsOf = (report: RunReport, clock: Clock): Html | null => {
  const plots = [throughput(report, clock), causes(report), partitions(report), ...pairs(report.confidence)].filter((plot) => plot !== null)
  return plots.length === 0 ? null : html`<section class="plots" aria-label="Plots">${plots}</section>`
}

interface Figure {
  readonly title: string
  readonly note: string
  readonly draw: (width: number) => Html
  readonly isWide?: boolean
}

// Text in a plot must not shrink on a phone, so what is wide on a desk is drawn twice and the style sheet shows one.
const figure = ({ title, note, draw, isWide }: Figure): Html => html`<figure${isWide === true ? html` class="double"` : null}>
<figcaption><h2>${title}</h2><p>${note}</p></figcaption>
${isWide === true ? html`<div class="wide">${draw(760)}</div><div class="slim">${draw(360)}</div>` : draw(360)}
</figure>\n`

const throughput = (report: RunReport, clock: Clock): Html | null => {
  const finished = report.throughput.reduce((sum, { items }) => sum + items, 0)
  if (finished === 0) return null
  const every = duration(report.throughputBucketSeconds)
  const rate = report.seconds > 0 ? `; ${plain(Math.round((600 * finished) / report.seconds) / 10)} a minute over all` : ""
  return figure({
    title: "Throughput",
    note: `Items finished every ${every}${rate}`,
    draw: (width) => plotThroughput(report, clock, width),
    isWide: true
  })
}

const partitions = (report: RunReport): Html | null => {
  const shown = report.partitions.length
  if (shown === 0) return null
  const { items, weight } = report.skew
  const largest = [items === null ? null : `${plain(items)} by items`, weight === null ? null : `${plain(weight)} by weight`].filter((part) => part !== null)
  const which = shown < report.partitionCount ? `The ${count(shown)} slowest of ${plural(report.partitionCount, "partition")}` : plural(shown, "partition")
  return figure({
    title: "Partitions",
    note: `${which}, the slowest first${largest.length === 0 ? "" : `; the largest over the mean is ${largest.join(", ")}`}`,
    draw: (width) => plotPartitions(report, width),
    isWide: true
  })
}

const causes = (report: RunReport): Html | null => {
  if (report.causes.length === 0) return null
  const more = report.causes.length - causesMax
  return figure({
    title: "What stopped or marked items",
    note: more > 0 ? `The ${causesMax} most frequent; ${count(more)} more in the table below` : "By rule or error code, the most frequent first",
    draw: (width) => plotCauses(report.causes, width)
  })
}

// Two low plots share a cell of the grid: beside the partitions there is room for both.
const pairs = (steps: RunReport["confidence"]): ReadonlyArray<Html> => {
  const figures = steps.filter(({ bins }) => bins.some((items) => items > 0)).map(confidence)
  return figures.flatMap((one, index) => (index % 2 === 0 ? [html`<div class="pair">${one}${figures[index + 1] ?? null}</div>`] : []))
}

const confidence = (one: RunReport["confidence"][number]): Html =>
  figure({
    title: `Confidence, ${one.step}`,
    note: `${plural(
      one.bins.reduce((sum, items) => sum + items, 0),
      "answer"
    )} from 0 to 1${one.none === 0 ? "" : `, ${count(one.none)} more without`}`,
    draw: (width) => plotConfidence(one, width)
  })

/** VAL-1 spelled out: two equations with their numbers, and whether they hold. */
export const completenessOf = (report: RunReport): Html => {
  const { delivered, dead, review, held, skipped } = report.dispositions
  const rejected = rejectedRows(report)
  const settled = settledItems(report)
  const gaps = report.completeness.gaps
  const isOpen = report.status !== "done"
  const holds = isComplete(report)
  const line = (isEqual: boolean, text: string) => html`<li class="${isEqual ? "holds" : isOpen ? "waits" : "broken"}">${text}</li>`
  const sum = `${count(delivered)} delivered + ${count(dead)} dead + ${count(review)} in review + ${count(held)} held back + ${count(skipped)} skipped`
  return html`<section class="${holds || isOpen ? "card" : "card alarm"}"><h2>Completeness</h2>
<ul class="equations">
${line(report.rowsRead === report.manifest + rejected, `${plural(report.rowsRead, "row")} read = ${plural(report.manifest, "item")} + ${count(rejected)} rejected`)}
${line(report.manifest === settled, `${plural(report.manifest, "item")} = ${sum}`)}
</ul>
<p>${holds ? "Both hold: nothing is lost." : isOpen ? "The run is not done; what is missing is still to do." : "Does not hold: items are unaccounted for. Look at them before anyone uses the outputs."}</p>
${
  gaps.length === 0 || isOpen
    ? null
    : html`<details><summary>${plural(gaps.length, "item id")}${gaps.length === 100 ? " (the first)" : null}</summary><p class="ids">${gaps.map((id) => html`<code>${id}</code> `)}</p></details>`
}</section>`
}

/** What was allowed, expected and spent. */
export const moneyOf = ({ money: { budgetUsd, estimateUsd, spentUsd }, manifest }: RunReport): Html => {
  const share = (value: number) => (budgetUsd > 0 ? Math.min(100, (100 * value) / budgetUsd) : 0)
  return html`<section class="card"><h2>Money</h2>
${
  budgetUsd > 0
    ? html`<div class="meter" role="img" aria-label="${percent(spentUsd, budgetUsd)} of the budget is spent"><i style="width:${share(spentUsd).toFixed(2)}%"></i>${
        estimateUsd === null ? null : html`<b style="left:${share(estimateUsd).toFixed(2)}%" title="estimate"></b>`
      }</div>`
    : null
}
${facts([
  ["Spent", html`<b>${dollars(spentUsd)}</b>${budgetUsd > 0 ? html` <span class="soft">${percent(spentUsd, budgetUsd)} of the budget</span>` : null}`],
  ["Estimate", estimateUsd === null ? "unknown" : dollars(estimateUsd)],
  ["Budget", dollars(budgetUsd)],
  ["Per item", manifest === 0 ? none : dollars(spentUsd / manifest)]
])}</section>`
}

/** Which run this is, of what, by whom. */
export const identityOf = (report: RunReport, clock: Clock): Html => html`<section class="card"><h2>Identity</h2>
${facts([
  ["Run", html`<code>${report.run}</code>`],
  ["Purpose", report.purpose],
  ["Owner", report.owner],
  ["Consumers", report.consumers.join(", ") || none],
  ["Classified", report.classification],
  ["Began", clock.moment(report.startedAt)],
  ["Ended", report.endedAt === null ? "not yet" : clock.moment(report.endedAt)],
  ["Processes", count(report.sessions)],
  ["Plan", html`<code>${report.planDigest}</code>`],
  ["Code", html`${report.codeVersions.map((version) => html`<code>${version}</code> `)}`]
])}</section>`

/** What the aggregates came to. */
export const valuesOf = ({ summaries }: RunReport): Html =>
  html`${summaries.map(({ step, values }) => html`<section class="values"><h2>${step} <span class="soft">aggregate</span></h2>${renderValues(values)}</section>`)}`

/** Everything as numbers; a table without rows isn't there. */
export const tablesOf = (report: RunReport): Html => html`
${report.steps.length === 0 ? null : html`<section><h2>Steps</h2>${stepTable(report.steps)}</section>`}
${report.rejected.length === 0 ? null : html`<section><h2>Rows set aside</h2>${rejectionTable(report.rejected)}</section>`}
${report.causes.length === 0 ? null : folded("What stopped or marked items, in numbers", causeTable(report.causes))}
${report.partitions.length === 0 ? null : folded("Partitions, in numbers", partitionTable(report.partitions))}`

const folded = (title: string, content: Html): Html => html`<section><details><summary>${title}</summary>${content}</details></section>`
