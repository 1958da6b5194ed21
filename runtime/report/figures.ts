/** The plots with their titles and notes, as far as there is something to show. */
import { html } from "./markup.ts"
import type { Html } from "./markup.ts"
import { causesMax, plotCauses } from "./outcomes.ts"
import { plotConfidence, plotPartitions, plotThroughput } from "./plots.ts"
import type { RunReport } from "./run-report.ts"
import { count, duration, plain, plural } from "./text.ts"
import type { Clock } from "./text.ts"

/** Every plot that has something to show. */
export const plotsOf = (report: RunReport, clock: Clock): Html => {
  const plots = [throughput(report, clock), causes(report), partitions(report), ...pairs(report.confidence)].filter((plot) => plot !== null)
  if (plots.length === 0) return html`<section class="soft">Nothing to plot: 0 items finished, 0 were stopped or marked.</section>`
  return html`<section class="plots" aria-label="Plots">${plots}</section>`
}

interface Figure {
  readonly title: string
  readonly note: string
  readonly draw: (width: number) => Html
  readonly isWide?: boolean
}

// Text in a plot must not shrink on a phone, so what is wide on a desk is drawn twice and the style sheet shows one.
const figure = ({ title, note, draw, isWide }: Figure): Html =>
  html`<figure${isWide === true ? html` class="double"` : null}>
<figcaption><h2>${title}</h2><p>${note}</p></figcaption>
${
  isWide === true
    ? html`<div class="wide">${draw(760)}</div>
        <div class="slim">${draw(360)}</div>`
    : draw(360)
}
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
  const largest = [items === null ? null : `${plain(items)} by items`, weight === null ? null : `${plain(weight)} by weight`].filter(
    (part) => part !== null
  )
  const which =
    shown < report.partitionCount
      ? `The ${count(shown)} slowest of ${plural(report.partitionCount, "partition")}`
      : plural(shown, "partition")
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
    note:
      more > 0
        ? `The ${causesMax} most frequent; ${count(more)} more in the table below`
        : "By rule or error code, the most frequent first",
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
