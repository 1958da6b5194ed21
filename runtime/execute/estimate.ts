/** What a run would take, worked out before it is begun: items, partitions, workers, disk, price. Pure. */
import type { Plan } from "../../dsl/index.ts"
import type { StagedGroup } from "../store/ledger.ts"
import { lightestFirst } from "../store/lightest-first.ts"
import type { MeasuredUsage } from "../store/measured-usage.ts"
import { throughputOf, workersNeeded, layoutWorkers, workersAtStart, workersOf, type Throughput } from "./capacity.ts"
import type { Graph } from "./graph.ts"
import { layOut } from "./layout.ts"
import { priceEstimate, type PriceEstimate } from "./price-estimate.ts"
import type { PromptSizes } from "./prompt-sizes.ts"
import type { Sample, SampledItem } from "./sample.ts"

/** How well a count is known; `at least` where nothing tells how much more there is. */
export type Precision = "exact" | "about" | "at least"

export interface InputEstimate {
  readonly precision: Precision
  readonly items: number
  readonly rejected: number
  readonly rowsRead: number
  /** Bodies that the payload copies; null where no row was read in time. */
  readonly bytes: number | null
}

export interface PartitionEstimate {
  readonly strategy: string
  readonly count: number
  readonly labels: ReadonlyArray<{ readonly label: string; readonly items: number; readonly partitions: number }>
  /** The largest partition, as a multiple of the mean one; null where all weigh nothing. */
  readonly skew: { readonly items: number | null; readonly weight: number | null }
}

export interface Estimate {
  /** Null where the input wasn't read, or gave no row in time. */
  readonly input: InputEstimate | null
  readonly partitions: PartitionEstimate | null
  readonly throughput: Throughput
  /** `minimum` is EXE-1's; null for a job without a deadline or an input that isn't known. */
  readonly workers: { readonly minimum: number | null; readonly start: number }
  /** What a run takes with the workers that it starts with; null where the input isn't known. */
  readonly seconds: number | null
  readonly checkpointsPerItem: number
  /** With a fifth to spare. Answers aren't in it: their size is the models' to choose. */
  readonly diskBytes: number | null
  /** The likely price; null where it isn't known. */
  readonly priceUsd: number | null
  readonly price: PriceEstimate
}

/** What a price rests on. */
export interface PriceInputs {
  readonly plan: Plan
  readonly graph: Graph
  readonly sample: Sample | null
  /** One worker's items per minute in the job's last run; null without one. */
  readonly measuredPerMinute: number | null
  /** Of the sampled items; null where the input wasn't read. */
  readonly prompts: PromptSizes | null
  /** What the job's last run used; null without one. */
  readonly measuredUsage: MeasuredUsage | null
  /** Whose prices count. */
  readonly at: Date
}

export interface EstimateOptions extends PriceInputs {
  /** The state folder's: partitions of a random hash come out as they will. */
  readonly hashKey: (key: string) => Buffer
}

const checkpointBytes = 200
const spareDisk = 1.2

export const estimate = (options: EstimateOptions): Estimate => {
  const { plan, sample } = options
  const { input, throughput, workers } = capacityOf(options)
  const checkpointsPerItem = checkpointsOf(plan)
  const price = estimatePrice(options, null)
  return {
    input,
    partitions: sample === null || sample.items.length === 0 ? null : partitionsOf(options, sample, throughput),
    throughput,
    workers,
    seconds: input === null ? null : (input.items / (throughput.itemsPerMinute * workers.start)) * 60,
    checkpointsPerItem,
    diskBytes: input === null ? null : diskOf(input, checkpointsPerItem),
    priceUsd: price.likelyUsd,
    price
  }
}

/** The price alone; `itemLimit` is that of a trial, null for all items. */
export const estimatePrice = (options: PriceInputs, itemLimit: number | null): PriceEstimate => {
  const { plan, graph, prompts, measuredUsage, at } = options
  const { input, throughput, workers } = capacityOf(options)
  const items = input === null ? null : Math.min(input.items, itemLimit ?? input.items)
  const realtimeMs = ((items ?? 0) / (throughput.itemsPerMinute * workersOf(workers.minimum))) * 60_000
  return priceEstimate({ graph, items, prompts, measured: measuredUsage, withinMs: plan.schedule?.withinMs ?? null, realtimeMs, at })
}

const capacityOf = ({ plan, graph, sample, measuredPerMinute }: PriceInputs) => {
  const models = graph.rows.flatMap((node) => (node.kind === "infer" ? node.models.map(({ model }) => model) : []))
  const throughput = throughputOf(models, measuredPerMinute)
  const input = sample === null ? null : inputOf(sample)
  const minimum = input === null ? null : workersNeeded(input.items, plan, throughput)
  return { input, throughput, workers: { minimum, start: workersAtStart(minimum) } }
}

/** All rows for each row read. */
const scaleOf = ({ items, rejections, rowsTotal }: Sample): number => {
  const read = items.length + rejections.length
  return rowsTotal === null || read === 0 ? 1 : rowsTotal / read
}

const inputOf = (sample: Sample): InputEstimate | null => {
  const { items, rejections, rowsTotal, isWhole } = sample
  const rowsRead = items.length + rejections.length
  const precision = isWhole ? "exact" : rowsTotal === null ? "at least" : "about"
  // None was read in time. Where they could be counted: a source rejects few.
  if (rowsRead === 0 && !isWhole) return rowsTotal === null ? null : { precision, items: rowsTotal, rejected: 0, rowsRead, bytes: null }
  const scale = scaleOf(sample)
  return {
    precision,
    items: Math.round(items.length * scale),
    rejected: Math.round(rejections.length * scale),
    rowsRead,
    bytes: Math.round(items.reduce((sum, { bytes }) => sum + bytes, 0) * scale)
  }
}

const diskOf = ({ bytes, items }: InputEstimate, checkpointsPerItem: number): number | null =>
  bytes === null ? null : Math.ceil(spareDisk * (bytes + items * checkpointsPerItem * checkpointBytes))

const partitionsOf = ({ plan, graph, hashKey }: EstimateOptions, sample: Sample, { itemsPerMinute }: Throughput): PartitionEstimate => {
  const { definition, name } = graph.partition
  const scale = scaleOf(sample)
  const groups = groupsOf(sample.items, scale)
  // As `executeRun` lays out its manifest.
  const layout = layOut({ definition, itemsPerMinute, workers: layoutWorkers }, groups)
  const counts = new Map(layout.groups.map(({ label, partitions }) => [label, partitions]))
  const loads = sample.isWhole ? loadsOf(sample.items, layout.spread, counts, hashKey) : meanLoads(groups, counts)
  const planned = plan.steps.find((step) => step.name === name)
  return {
    strategy: planned?.kind === "partition" ? planned.strategy : "hash",
    count: loads.length,
    labels: groups.filter(({ label }) => label !== "").map(({ label, items }) => ({ label, items, partitions: counts.get(label) ?? 1 })),
    skew: { items: skewOf(loads.map(({ items }) => items)), weight: skewOf(loads.map(({ weight }) => weight)) }
  }
}

const groupsOf = (items: ReadonlyArray<SampledItem>, scale: number): ReadonlyArray<StagedGroup> => {
  const groups = new Map<string, { items: number; weight: number }>()
  for (const { label, weight } of items) {
    const group = groups.get(label) ?? { items: 0, weight: 0 }
    group.items++
    group.weight += weight
    groups.set(label, group)
  }
  return [...groups]
    .map(([label, group]) => ({ label, items: Math.round(group.items * scale), weight: group.weight * scale }))
    .toSorted((a, b) => (a.label < b.label ? -1 : 1))
}

interface Load {
  items: number
  weight: number
}

/** Each item in its partition, as the manifest's staging puts it there. */
const loadsOf = (
  items: ReadonlyArray<SampledItem>,
  spread: "hash" | "weight",
  counts: ReadonlyMap<string, number>,
  hashKey: (key: string) => Buffer
): ReadonlyArray<Load> => {
  const firsts = new Map<string, number>()
  let total = 0
  for (const [label, partitions] of counts) {
    firsts.set(label, total)
    total += partitions
  }
  const loads = Array.from({ length: total }, (): Load => ({ items: 0, weight: 0 }))
  const next = lightestFirst(total)
  const placed = spread === "weight" ? items.toSorted((a, b) => b.weight - a.weight) : items
  for (const { key, label, weight } of placed) {
    const load =
      loads[spread === "weight" ? next(weight) : (firsts.get(label) ?? 0) + (hashKey(key).readUInt32LE(12) % (counts.get(label) ?? 1))]
    if (load === undefined) continue
    load.items++
    load.weight += weight
  }
  return loads.filter(({ items }) => items > 0)
}

/** Of an input that wasn't read to its end: a few rows spread over all its partitions would look more uneven than it is. */
const meanLoads = (groups: ReadonlyArray<StagedGroup>, counts: ReadonlyMap<string, number>): ReadonlyArray<Load> =>
  groups.flatMap(({ label, items, weight }) => {
    const partitions = counts.get(label) ?? 1
    return Array.from({ length: partitions }, () => ({ items: items / partitions, weight: weight / partitions }))
  })

const skewOf = (loads: ReadonlyArray<number>): number | null => {
  const sum = loads.reduce((total, load) => total + load, 0)
  return sum === 0 ? null : loads.reduce((most, load) => Math.max(most, load), 0) / (sum / loads.length)
}

/** Durable rows that an item leaves at most: one a step that takes rows, and in a cascade one more a model. */
const checkpointsOf = (plan: Plan): number => {
  const aggregated = new Set(plan.steps.flatMap((step) => (step.kind === "aggregate" ? step.reads : [])))
  return plan.steps.reduce((sum, step) => {
    if (step.kind === "infer") return sum + (step.models.length === 1 ? 1 : step.models.length + 1)
    if (step.kind === "validate" || step.kind === "join") return sum + 1
    return step.kind === "when" && (step.terminal || aggregated.has(step.name)) ? sum + 1 : sum
  }, 0)
}
