/** What an author declares: a named set of steps with its owner, purpose, money and time. */
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"

import type { Classification } from "./classification.ts"
import type { Export, ExportNeeds } from "./release.ts"
import type { Cron, Usd } from "./schedule.ts"
import type { NeedsParams } from "./source.ts"
import { definitionOf, type Definition, type PlainSchema, type ServicesOf, type Step } from "./step.ts"

type Steps = Readonly<Record<string, Step>>

/** Every service and parameter that the listed steps, and whatever they read, need. */
export type Needs<S extends Steps> = ServicesOf<S[keyof S]>

type Exports = ReadonlyArray<Export<any>>

/** What is done with a run's delivered rows once it is complete. */
interface ReleaseOptions<E extends Exports> {
  /** Files for downstream: `toParquet(…)`, `toJsonl(…)`, `toCsv(…)`. Default none: the analysts' `outputs` views alone. */
  readonly exports?: E
  /**
   * For a high-stakes job: how many delivered items (1 to 1,000) a person must accept before anything is released. They are drawn from all labels, from
   * flagged and unflagged ones, and from all levels of confidence. Default: released without.
   */
  readonly sample?: number
}

interface JobOptions<S extends Steps, E extends Exports = Exports> {
  /** The team that answers for the job. */
  readonly owner: string
  /** Why the job may use its data: what a regulator asks first. */
  readonly purpose: string
  readonly classification: Classification
  /** Where the data may be processed: every model that isn't embedded must name one of these as its `region`. Default: anywhere. */
  readonly regions?: ReadonlyArray<string>
  /** The systems that read the outputs, told of a late or partial run by a channel of the same name. Default none. */
  readonly consumers?: ReadonlyArray<string>
  /** Channels that hear of the job's alerts and incidents; the accounts file says what they are. Default none. */
  readonly notify?: ReadonlyArray<string>
  readonly release?: ReleaseOptions<E>
  readonly schedule?: Cron
  /** What one run may spend at most. */
  readonly budget: Usd
  /** How long payloads (inputs, outputs, raw answers) are kept after the run ends. Default: until purged by hand. */
  readonly retention?: Duration.Input
  /**
   * The share of judged items (delivered, dead letters, in review) that must not be dead letters, 0 to 1. Below it the run raises an alert, and its release waits
   * at a gate for a person. Default: 0.99, and then the gate stands from 100 judged items on; with fewer, one bad item would always be too many.
   */
  readonly passRateMin?: number
  /**
   * The share of items that may fail in the primary pass (0 to 1): above it, a person must agree before they are asked again. Default 0.05, judged in
   * runs of 100 items and more; what is declared is judged in any.
   */
  readonly failureRateMax?: number
  /** How long a gate waits for a person; then it counts as rejected. Default: 7 days. */
  readonly gateExpiry?: Duration.Input
  /**
   * How long one call of the job's own code (a prompt, rule, `accept`, `when`, reducer, embedded model, …) may take. One that holds the process for
   * longer ends it, and the resume dead-letters its item as `hung`; one that waits for longer is interrupted, with the same dead letter. From 1
   * second to 1 hour; default 30 seconds, and for an embedded model that answers later (a Promise, an Effect) 10 minutes.
   */
  readonly callbackTimeout?: Duration.Input
  /** Names of steps, in the author's order. A step that is only read by another one needs no entry. */
  readonly steps: S
}

/** Required, and of these services. An interface, because its name is what the error prints when `services` is missing. */
interface ServicesFor<R> {
  readonly services: Layer.Layer<R, unknown>
}
/** A layer is contravariant in what it gives, so every layer that needs nothing itself is a `Layer<never, unknown>`. */
interface NoServicesNeeded {
  readonly services?: Layer.Layer<never, unknown>
}
/** Only `S` is inferred, never the layer: a type parameter for it breaks on an inline `Layer.merge(a, b)`. */
type ServicesOption<R> = [Exclude<R, NeedsParams<any>>] extends [never] ? NoServicesNeeded : ServicesFor<Exclude<R, NeedsParams<any>>>

/** A schema whose type is what the locations of sources and exports read. */
interface ParamsFor<Params> {
  readonly params: PlainSchema & { readonly Type: Params }
}
interface ParamsOptional {
  /** What a person may set with `--param name=value`. */
  readonly params?: PlainSchema
}
type ParamsOption<R> = [Extract<R, NeedsParams<any>>] extends [never]
  ? ParamsOptional
  : [Extract<R, NeedsParams<any>>] extends [NeedsParams<infer Params>]
    ? ParamsFor<Params>
    : { readonly params: "Sources and exports read parameters of different types: give them one type" }

/** A declared job: a value that a module exports. `compile` makes a plan of it. */
export interface Job<out S extends Steps = Steps> {
  readonly kind: "job"
  readonly name: string
  readonly options: Omit<JobOptions<S>, "steps"> & {
    readonly params?: PlainSchema
    readonly services?: Layer.Layer<any, unknown>
  }
  readonly steps: S
  /** Every reached step with its name: from `steps`, or from its reader when it isn't listed. */
  readonly names: ReadonlyMap<Step, string>
}

/** Declares a job. Nothing runs, and nothing is checked beyond the types until it is compiled. */
export const job = <const S extends Steps, const E extends Exports = readonly []>(
  name: string,
  options: JobOptions<S, E> & ServicesOption<Needs<S>> & ParamsOption<Needs<S> | ExportNeeds<E>>
): Job<S> => {
  const { steps, ...rest } = options
  return { kind: "job", name, options: rest as unknown as Job<S>["options"], steps, names: nameSteps(steps) }
}

/** Whether a step hands rows to nobody: aggregates and reports don't take rows away. */
export const isTerminal = (job: Job, step: Step): boolean =>
  rowKinds.has(step.kind) &&
  ![...job.names.keys()].some((reader) => rowKinds.has(reader.kind) && definitionOf(reader).reads.includes(step as never))

const rowKinds = new Set<Definition["kind"]>(["when", "infer", "validate", "join"])

/** A cycle can't be written: a step exists only after the steps it reads, and nothing changes it afterwards. */
const nameSteps = (steps: Steps): ReadonlyMap<Step, string> => {
  const names = new Map<Step, string>(Object.entries(steps).map(([name, listed]) => [listed, name]))
  const visited = new Set<Step>()
  const visit = (reader: Step): void => {
    if (visited.has(reader)) return
    visited.add(reader)
    const definition = definitionOf(reader)
    for (const [index, read] of definition.reads.entries()) {
      const branch = definition.kind === "join" ? definition.branchNames[index] : undefined
      if (!names.has(read)) names.set(read, `${names.get(reader)}_${branch ?? read.kind}`)
      visit(read)
    }
  }
  for (const listed of Object.values(steps)) visit(listed)
  return names
}
