/** The plots of a report that stand on two axes: time, partitions, confidence. */
import { axisOf, bars, categories, meanLine, values } from "./axis.ts"
import { draw } from "./draw.ts"
import type { Html } from "./markup.ts"
import type { RunReport } from "./run-report.ts"
import { count, duration, plural } from "./text.ts"
import type { Clock } from "./text.ts"

/** Items finished per bucket of time; gaps are pauses. */
export const plotThroughput = (report: RunReport, clock: Clock, width: number): Html => {
  const height = 220
  const grid = { left: 44, right: 10, top: 12, bottom: 26 }
  const size = report.throughputBucketSeconds * 1000
  const buckets = report.throughput.map(({ at, items }) => ({ at: Date.parse(at), items }))
  const first = buckets[0]?.at ?? 0
  const last = (buckets.at(-1)?.at ?? 0) + size
  const barWidth = Math.max(1, ((width - grid.left - grid.right) * size) / (last - first) - 1)
  return draw({
    label: `Items finished every ${duration(report.throughputBucketSeconds)}, from ${clock.time(first)} to ${clock.time(last)}`,
    width,
    height,
    option: {
      useUTC: true,
      grid,
      xAxis: {
        type: "time",
        min: first,
        max: last,
        splitNumber: width < 500 ? 3 : 6,
        ...axisOf((value) => clock.time(Number(value)).slice(0, last - first < 300_000 ? 8 : 5))
      },
      yAxis: values,
      series: [{ ...bars("var(--accent)"), barWidth, data: buckets.map(({ at, items }) => [at + size / 2, items]) }]
    },
    tip: (_, index) => {
      const bucket = buckets[index]
      return bucket === undefined ? null : `${clock.time(bucket.at)}: ${plural(bucket.items, "item")}`
    }
  })
}

/** Items and seconds of each partition over one another, the slowest first: whether the slow ones are also the large ones. */
export const plotPartitions = (report: RunReport, width: number): Html => {
  const { partitions } = report
  const names = partitions.map(({ partition, label }) => label ?? `${partition}`)
  const grids = [
    { left: 44, right: 10, top: 28, height: 78 },
    { left: 44, right: 10, top: 148, height: 78 }
  ]
  const heading = (top: number, text: string) =>
    ({ left: 0, top, text, textStyle: { fontSize: 12, fontWeight: "normal", color: "var(--soft)" } }) as const
  const series = (index: number, colour: string, data: ReadonlyArray<number | null>, show: (mean: number) => string) => {
    const known = data.filter((value) => value !== null)
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length
    return {
      ...bars(colour),
      xAxisIndex: index,
      yAxisIndex: index,
      barCategoryGap: partitions.length > 60 ? "10%" : "30%",
      data: [...data],
      // Of the slowest 200 only, a mean would say little about all.
      ...(known.length > 1 && known.length === report.partitionCount ? { markLine: meanLine(mean, `mean ${show(mean)}`) } : {})
    }
  }
  return draw({
    label: `Items and seconds of ${plural(partitions.length, "partition")}, the slowest first`,
    width,
    height: 252,
    option: {
      title: [heading(0, "items"), heading(120, "seconds")],
      grid: grids,
      xAxis: [
        { ...categories(names), gridIndex: 0, axisLabel: { show: false } },
        { ...categories(names), gridIndex: 1 }
      ],
      yAxis: [
        { ...values, gridIndex: 0 },
        { ...values, gridIndex: 1, minInterval: 0 }
      ],
      series: [
        series(
          0,
          "var(--quiet)",
          partitions.map(({ items }) => items),
          (mean) => count(mean)
        ),
        series(
          1,
          "var(--accent)",
          partitions.map(({ seconds }) => seconds),
          duration
        )
      ]
    },
    tip: (_, index) => {
      const one = partitions[index]
      if (one === undefined) return null
      const name = one.label === null ? `Partition ${one.partition}` : `Partition ${one.partition}, ${one.label}`
      return `${name}: ${plural(one.items, "item")}, ${one.seconds === null ? "not done" : duration(one.seconds)}`
    }
  })
}

/** Answers by confidence, in bins that share 0 to 1 evenly. */
export const plotConfidence = ({ step, bins }: RunReport["confidence"][number], width: number): Html => {
  const edge = (index: number) => (index / bins.length).toFixed(2)
  return draw({
    label: `Confidence of the answers of ${step}, from 0 to 1`,
    width,
    height: 132,
    option: {
      grid: { left: 44, right: 14, top: 12, bottom: 26 },
      // The bars stand on a hidden axis of categories; the numbers below them are edges of bins, so they have their own.
      xAxis: [
        { ...categories(bins.map((_, index) => edge(index))), axisLabel: { show: false }, axisLine: { show: false } },
        { type: "value", min: 0, max: 1, interval: 0.2, position: "bottom", ...axisOf((value) => Number(value).toFixed(1)) }
      ],
      yAxis: values,
      series: [
        { ...bars("var(--accent)"), barCategoryGap: "8%", data: [...bins] },
        // An axis that carries no series isn't drawn.
        { type: "scatter", xAxisIndex: 1, data: [], silent: true }
      ]
    },
    tip: (_, index) => `${edge(index)} to ${edge(index + 1)}: ${count(bins[index] ?? 0)}`
  })
}
