/** How axes and marks look in every plot: hairlines, soft labels, nothing that moves. */
import type { BarSeriesOption, XAXisComponentOption, YAXisComponentOption } from "echarts/dist/echarts.esm.min.mjs"

const line = { lineStyle: { color: "var(--line)", width: 1 } }
const label = { color: "var(--soft)", fontSize: 12, hideOverlap: true }

/** An axis along the bottom. */
export const axisOf = (show: (value: number | string) => string) =>
  ({
    axisLine: { show: true, ...line },
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: { ...label, formatter: (value: number | string) => show(value) }
  }) satisfies XAXisComponentOption

/** Names along the bottom; those that don't fit are left out. */
export const categories = (names: ReadonlyArray<string>) =>
  ({ type: "category" as const, data: [...names], ...axisOf(String) }) satisfies XAXisComponentOption

/** Amounts on the left: 1.2K, with at most four lines. */
export const values = {
  type: "value" as const,
  min: 0,
  minInterval: 1,
  splitNumber: 3,
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { show: true, ...line },
  axisLabel: { ...label, formatter: (value: number | string) => compact.format(Number(value)) }
} satisfies YAXisComponentOption

/** A series of upright or lying bars in one colour. */
export const bars = (color: string) =>
  ({ type: "bar" as const, itemStyle: { color }, emphasis: { disabled: true } }) satisfies BarSeriesOption

/** A dashed line at the mean, with its value in words. */
export const meanLine = (mean: number, words: string) =>
  ({
    silent: true,
    symbol: "none",
    data: [{ yAxis: mean }],
    lineStyle: { color: "var(--ink)", type: "dashed", width: 1 },
    label: { position: "insideEndTop", formatter: () => words, color: "var(--ink)", fontSize: 12, textBorderWidth: 0, distance: 2 }
  }) satisfies BarSeriesOption["markLine"]

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 })
