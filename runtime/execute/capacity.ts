/** How many workers a run needs (EXE-1), and how fast one is taken to be. */
import type { Model, Plan } from "../../dsl/index.ts"
import { Capacity } from "../guard/capacity.ts"
import type { Deadline } from "../guard/sla.ts"

/** EAAPL-INT005 §10: headroom for partition skew. */
const headroom = 1.25
const workersDefault = 4
const workersMax = 64
/** Assumed until a run has measured it or a model declares it. */
const assumedPerMinute = { local: 6_000, remote: 60 } as const

export interface Throughput {
  /** Of one worker. */
  readonly itemsPerMinute: number
  readonly source: "measured" | "declared" | "assumed"
}

/** The slowest model decides. `measured` comes from the job's last finished run; null without one. */
export const throughputOf = (models: ReadonlyArray<Model>, measured: number | null): Throughput => {
  if (measured !== null && measured > 0) return { itemsPerMinute: measured, source: "measured" }
  const declared = models.flatMap(({ itemsPerMinute }) => (itemsPerMinute === undefined ? [] : [itemsPerMinute]))
  if (declared.length > 0) return { itemsPerMinute: Math.min(...declared), source: "declared" }
  const isLocal = models.every(({ engine }) => engine === "local")
  return { itemsPerMinute: isLocal ? assumedPerMinute.local : assumedPerMinute.remote, source: "assumed" }
}

/** items / SLA seconds / items per second of one worker × 1.25, at least 1; null for a job without a deadline. */
export const workersNeeded = (items: number, plan: Plan, throughput: Throughput): number | null =>
  plan.schedule === null
    ? null
    : Math.max(1, Math.ceil((items / (plan.schedule.withinMs / 1_000) / (throughput.itemsPerMinute / 60)) * headroom))

/** What a run starts with: with a deadline no more than it needs, without one what it may use. */
export const workersAtStart = (needed: number | null): number => Math.min(workersMax, needed ?? workersDefault)

/** What a run is reckoned to have when it has to hurry. */
export const workersOf = (needed: number | null): number => Math.min(workersMax, Math.max(needed ?? workersDefault, workersDefault))

/** A run's workers, and how many of them are at work at first. One without a deadline uses what it may; one with may grow to twice what it needs. */
export const crewOf = (needed: number | null, deadline: Deadline | null) => {
  if (needed === null || deadline === null) return { workers: workersOf(needed), capacity: Capacity.unbounded() }
  const workers = Math.min(workersMax, Math.max(layoutWorkers, needed * 2))
  return { workers, capacity: new Capacity(workersAtStart(needed), workers) }
}

/** Items that one worker has in flight. */
export const slotsPerWorker = 16

/** Workers that partitions are laid out for, before the items are counted: more than start, so that a run that grows finds work for all. */
export const layoutWorkers = workersDefault * 2
