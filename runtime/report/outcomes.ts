/** The plots of a report that are lying bars: what became of the items, and what stopped or marked them. */
import { bars } from "./axis.ts"
import { outcomesOf } from "./disposition.ts"
import { draw } from "./draw.ts"
import { clip } from "./markup.ts"
import type { Html } from "./markup.ts"
import type { CauseReport, RunReport } from "./run-report.ts"
import { count, percent, plural } from "./text.ts"

/** One bar of all items; a part that isn't 0 is wide enough to be seen, even one in a million. */
export const plotDispositions = (report: RunReport, width: number): Html => {
  const parts = outcomesOf(report).filter(({ items }) => items > 0)
  const total = parts.reduce((sum, { items }) => sum + items, 0)
  const shown = parts.map(({ items }) => Math.max(items, (4 * total) / width))
  return draw({
    label: `What became of the items: ${parts.map(({ items, word }) => `${count(items)} ${word}`).join(", ")}`,
    width,
    height: 28,
    isStretched: true,
    option: {
      grid: { left: 0, right: 0, top: 0, bottom: 0 },
      xAxis: { type: "value", show: false, min: 0, max: shown.reduce((sum, part) => sum + part, 0) },
      yAxis: { type: "category", show: false, data: [""] },
      series: parts.map(({ color }, index) => ({
        ...bars(color),
        stack: "all",
        barWidth: 28,
        itemStyle: { color, borderColor: "var(--paper)", borderWidth: 1 },
        data: [shown[index] ?? 0]
      }))
    },
    tip: (series) => {
      const part = parts[series]
      return part === undefined ? null : `${count(part.items)} ${part.word}, ${percent(part.items, total)}`
    }
  })
}

/** Bars drawn at most; the table below the plots has all. */
export const causesMax = 10

/** What stopped or marked items, the most frequent first, each named above its bar. */
export const plotCauses = (causes: ReadonlyArray<CauseReport>, width: number): Html => {
  const shown = causes.toSorted((one, other) => other.items - one.items).slice(0, causesMax)
  return draw({
    label: `What stopped or marked items: ${shown.map((cause) => `${nameOf(cause)} ${count(cause.items)}`).join(", ")}`,
    width,
    height: shown.length * 38 + 4,
    option: {
      grid: { left: 0, right: 62, top: 4, bottom: 0 },
      xAxis: { type: "value", show: false, min: 0 },
      yAxis: {
        type: "category",
        inverse: true,
        // About what fits; the plot's edge cuts the rest.
        data: shown.map((cause) => clip(nameOf(cause), 56)),
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: {
          inside: true,
          margin: 0,
          verticalAlign: "bottom",
          padding: [0, 0, 8, 0],
          color: "var(--ink)",
          fontSize: 12,
          interval: 0
        }
      },
      series: [
        {
          ...bars(""),
          barWidth: 8,
          data: shown.map(({ kind, items }) => ({ value: items, itemStyle: { color: colours[kind] } })),
          label: {
            show: true,
            position: "right",
            color: "var(--ink)",
            fontSize: 12,
            formatter: ({ dataIndex }: { readonly dataIndex: number }) => count(shown[dataIndex]?.items ?? 0)
          }
        }
      ]
    },
    tip: (_, index) => {
      const cause = shown[index]
      return cause === undefined
        ? null
        : `${plural(cause.items, "item")}: ${words[cause.kind]} at ${cause.step}, ${cause.rule ?? cause.code}`
    }
  })
}

/** What a cause did to its items. */
export const words: Readonly<Record<CauseReport["kind"], string>> = { dead: "dead letter", review: "review", flag: "flag" }

const colours: Readonly<Record<CauseReport["kind"], string>> = { dead: "var(--dead)", review: "var(--review)", flag: "var(--flag)" }

const nameOf = ({ kind, step, code, rule }: CauseReport): string => `${rule ?? code} at ${step}, ${words[kind]}`
