/** A job compiled: canonical data with digests, no functions in it. */
import * as Duration from "effect/Duration"

import { checkJob } from "./check-job.ts"
import type { Classification } from "./classification.ts"
import { jsonSchemaOf, storedColumns, type FlatColumn, type JsonSchema } from "./columns.ts"
import { digest } from "./digest.ts"
import { isTerminal, type Job } from "./job.ts"
import type { EvaluationDefinition } from "./evaluation.ts"
import { modelSteps, type Model, type OpenAiApi, type Price } from "./model.ts"
import { PlanError } from "./plan-error.ts"
import type { Export, ExportFormat } from "./release.ts"
import { definitionOf, type AggregateDefinition, type InferDefinition, type Step } from "./step.ts"
import type { Verdict } from "./validate.ts"

/** A model as the plan knows it. */
export interface PlannedModel {
  /** The checkpointed step of this model: the infer's name, or `<infer>_<n>_<model>` within a cascade. */
  readonly step: string
  readonly name: string
  readonly engine: Model["engine"]
  readonly account: string
  readonly tier: Model["tier"]
  /** `local` only: the declared version, or a digest of the function's source text. */
  readonly version: string | null
  /** Each of these only where the author set it, so that plans from before it was known keep their digest. */
  readonly baseUrl?: string
  readonly api?: OpenAiApi
  readonly region?: string
  readonly approvedFor?: Classification
  readonly price?: Price
  readonly parameters?: Readonly<Record<string, unknown>>
}

/** An export as the plan knows it: `step` is null for every terminal one. */
export interface PlannedExport {
  readonly format: ExportFormat
  readonly folder: string
  readonly step: string | null
  readonly codeDigest: string
}

interface PlannedBase {
  readonly name: string
  readonly reads: ReadonlyArray<string>
  /** No other step takes rows from it: here an item's disposition is decided. */
  readonly terminal: boolean
}

export type PlannedStep = PlannedBase &
  (
    | {
        readonly kind: "source"
        readonly format: string
        readonly location: string
        readonly schemaDigest: string
        readonly columns: ReadonlyArray<FlatColumn>
        readonly codeDigest: string
      }
    | {
        readonly kind: "partition"
        readonly strategy: "hash" | "by" | "tiers" | "weight"
        readonly itemsMax: number | null
        readonly codeDigest: string
      }
    | { readonly kind: "when"; readonly codeDigest: string }
    | {
        readonly kind: "infer"
        readonly models: ReadonlyArray<PlannedModel>
        readonly overrides: ReadonlyArray<{ readonly label: string; readonly model: PlannedModel | null; readonly codeDigest: string }>
        readonly promptDigest: string
        readonly schema: JsonSchema
        readonly columns: ReadonlyArray<FlatColumn>
        readonly maxTokens: number | null
        readonly temperature: number | null
        /** Each of these only where the author set it. */
        readonly retriesMax?: number
        readonly retrySpacingMs?: number
        readonly retryWithError?: boolean
        readonly confidenceMin?: number
        readonly reuse: boolean
        /** Only where the author set it. */
        readonly evaluation?: { readonly scoreMin: number; readonly labelled: string; readonly codeDigest: string }
        readonly codeDigest: string
      }
    | {
        readonly kind: "validate"
        readonly rules: ReadonlyArray<{ readonly name: string; readonly orElse: Verdict; readonly codeDigest: string }>
      }
    | { readonly kind: "join"; readonly branches: ReadonlyArray<string> }
    | {
        readonly kind: "aggregate"
        readonly how: "reducers" | "query"
        readonly values: ReadonlyArray<string>
        readonly codeDigest: string
      }
    | { readonly kind: "report"; readonly codeDigest: string }
  )

/**
 * The compiled job. Its digests follow what an author writes: the source text of callbacks, the schemas, and all data. They can't
 * see what a callback only refers to, such as a constant or an imported function, nor into one that `Effect.fn` or `bind` made:
 * that is the code version's to tell.
 */
export interface Plan {
  readonly format: 1
  readonly job: string
  readonly owner: string
  readonly purpose: string
  readonly classification: Classification
  /** Only where the author set it. */
  readonly regions?: ReadonlyArray<string>
  readonly consumers: ReadonlyArray<string>
  /** Only where the author set it. */
  readonly notify?: ReadonlyArray<string>
  /** Only where the author set it. */
  readonly release?: { readonly exports?: ReadonlyArray<PlannedExport>; readonly sample?: number }
  readonly schedule: { readonly expression: string; readonly timeZone: string; readonly withinMs: number; readonly catchUp: string } | null
  readonly budgetUsd: number
  readonly retentionMs: number | null
  /** These four only where the author set them. */
  readonly passRateMin?: number
  readonly failureRateMax?: number
  readonly gateExpiryMs?: number
  readonly callbackTimeoutMs?: number
  readonly params: JsonSchema | null
  /** In reading order: a step comes after the steps it reads. */
  readonly steps: ReadonlyArray<PlannedStep>
  /** Over all of the above, whatever order fields and steps were written in. A run resumes without asking only under an equal digest. */
  readonly digest: string
}

/** Compiles a job. Throws a `PlanError` with every fault found; reads no file, calls no model. */
export const compile = (job: Job): Plan => {
  const faults = checkJob(job)
  if (faults.length > 0) throw new PlanError(job.name, faults)
  const { owner, purpose, classification, regions, consumers, notify, schedule, budget, retention, params } = job.options
  const { passRateMin, failureRateMax, gateExpiry, callbackTimeout } = job.options
  const plan = {
    format: 1 as const,
    job: job.name,
    owner,
    purpose,
    classification,
    ...(regions === undefined ? {} : { regions: regions.toSorted() }),
    consumers: (consumers ?? []).toSorted(),
    ...(notify === undefined ? {} : { notify: notify.toSorted() }),
    ...planRelease(job),
    schedule:
      schedule === undefined
        ? null
        : {
            expression: schedule.expression,
            timeZone: schedule.timeZone,
            withinMs: Duration.toMillis(Duration.fromInputUnsafe(schedule.within)),
            catchUp: schedule.catchUp
          },
    budgetUsd: budget.usd,
    retentionMs: retention === undefined ? null : Duration.toMillis(Duration.fromInputUnsafe(retention)),
    ...(passRateMin === undefined ? {} : { passRateMin }),
    ...(failureRateMax === undefined ? {} : { failureRateMax }),
    ...(gateExpiry === undefined ? {} : { gateExpiryMs: Duration.toMillis(Duration.fromInputUnsafe(gateExpiry)) }),
    ...(callbackTimeout === undefined ? {} : { callbackTimeoutMs: Duration.toMillis(Duration.fromInputUnsafe(callbackTimeout)) }),
    params: params === undefined ? null : jsonSchemaOf(params),
    steps: stepsInOrder(job).map((step) => planStep(job, step))
  }
  return { ...plan, digest: digest({ ...plan, steps: plan.steps.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }) }
}

const planExport = (job: Job, { format, folder, step }: Export<any>): PlannedExport => ({
  format,
  folder: placeText(folder),
  step: step === null ? null : (job.names.get(step) ?? null),
  codeDigest: codeDigest(typeof folder === "function" ? folder : undefined)
})

/** For people: types stripped from a function leave gaps. */
const placeText = (place: unknown): string => (typeof place === "function" ? String(place).replaceAll(/\s+/g, " ") : JSON.stringify(place))

/** Nothing where the job declares nothing of it: plans from before keep their digest. */
const planRelease = (job: Job): Pick<Plan, "release"> => {
  const { exports, sample } = job.options.release ?? {}
  if (exports === undefined && sample === undefined) return {}
  return {
    release: {
      ...(exports === undefined ? {} : { exports: exports.map((one) => planExport(job, one)) }),
      ...(sample === undefined ? {} : { sample })
    }
  }
}

/** Every reached step after the steps it reads; ties in the author's order. */
export const stepsInOrder = (job: Job): ReadonlyArray<Step> => {
  const ordered = new Set<Step>()
  const visit = (step: Step): void => {
    if (ordered.has(step)) return
    definitionOf(step).reads.forEach(visit)
    ordered.add(step)
  }
  Object.values(job.steps).forEach(visit)
  return [...ordered]
}

/** What a model's rows say as its version: an embedded model changes when its source text does. */
export const modelVersion = (model: Model): string | null =>
  model.engine === "local" ? (model.version ?? `fn-${codeDigest(model.answer).slice(0, 12)}`) : null

/** The digest of callbacks' source texts; two closures of one text over different values are the same to it. */
const codeDigest = (...callbacks: ReadonlyArray<unknown>): string => digest(callbacks.map(sourceOf))
const sourceOf = (callback: unknown): string | null => (callback === undefined ? null : String(callback))

const planModel = (step: string, model: Model): PlannedModel => ({
  step,
  name: model.name,
  engine: model.engine,
  account: model.account,
  tier: model.tier,
  version: modelVersion(model),
  ...(model.baseUrl === undefined ? {} : { baseUrl: model.baseUrl }),
  ...(model.api === undefined ? {} : { api: model.api }),
  ...(model.region === undefined ? {} : { region: model.region }),
  ...(model.approvedFor === undefined ? {} : { approvedFor: model.approvedFor }),
  ...(model.price === undefined ? {} : { price: model.price }),
  ...(model.parameters === undefined ? {} : { parameters: model.parameters })
})

const planInfer = (base: PlannedBase, definition: InferDefinition): PlannedStep => {
  const schema = jsonSchemaOf(definition.output)
  const steps = modelSteps(base.name, definition.models)
  return {
    ...base,
    kind: "infer",
    models: definition.models.map((model, index) => planModel(steps[index] ?? base.name, model)),
    overrides: byName(definition.overrides).map(([label, { model, prompt }]) => ({
      label,
      model: model === undefined ? null : planModel(base.name, model),
      codeDigest: codeDigest(prompt)
    })),
    promptDigest: promptDigest(definition),
    schema,
    columns: storedColumns(definition.output),
    maxTokens: definition.maxTokens ?? null,
    temperature: definition.temperature ?? null,
    ...(definition.retriesMax === undefined ? {} : { retriesMax: definition.retriesMax }),
    ...(definition.retrySpacing === undefined
      ? {}
      : { retrySpacingMs: Duration.toMillis(Duration.fromInputUnsafe(definition.retrySpacing)) }),
    ...(definition.retryWithError === undefined ? {} : { retryWithError: definition.retryWithError }),
    ...(definition.confidenceMin === undefined ? {} : { confidenceMin: definition.confidenceMin }),
    reuse: definition.reuse,
    ...(definition.evaluation === undefined ? {} : { evaluation: planEvaluation(definition.evaluation) }),
    codeDigest: codeDigest(definition.accept, definition.confidence)
  }
}

/** Labelled rows are digested: they are data, and may be personal. */
const planEvaluation = ({ labelled, score, scoreMin }: EvaluationDefinition) => {
  if (!("kind" in labelled)) return { scoreMin, labelled: digest(labelled), codeDigest: codeDigest(score) }
  const source = definitionOf(labelled)
  const place = source.kind === "source" ? source.location : null
  return {
    scoreMin,
    labelled: typeof place === "function" ? String(place).replaceAll(/\s+/g, " ") : JSON.stringify(place),
    codeDigest: codeDigest(score)
  }
}

/** The part of a prompt's version that is known before any row: the callback's source text and the output schema. */
export const promptDigest = (definition: InferDefinition, prompt: unknown = definition.prompt): string =>
  digest({ source: String(prompt), schema: jsonSchemaOf(definition.output) })

const planAggregate = (base: PlannedBase, { query, reducers = {} }: AggregateDefinition): PlannedStep => {
  const named = byName(reducers)
  return {
    ...base,
    kind: "aggregate",
    how: query ? "query" : "reducers",
    values: named.map(([name]) => name),
    codeDigest: query
      ? codeDigest(query)
      : digest(named.map(([name, { id, start, reads }]) => [name, id ?? sourceOf(start), sourceOf(reads)]))
  }
}

/** The fields of a record whose order means nothing. */
const byName = <A>(record: Readonly<Record<string, A>>): ReadonlyArray<readonly [string, A]> =>
  Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1))

const planStep = (job: Job, step: Step): PlannedStep => {
  const definition = definitionOf(step)
  const nameOf = (of: Step): string => job.names.get(of) ?? of.kind
  const base = { name: nameOf(step), reads: definition.reads.map(nameOf), terminal: isTerminal(job, step) }
  switch (definition.kind) {
    case "source": {
      const { format, location, schema, keyOf, parse } = definition
      return {
        ...base,
        kind: "source",
        format,
        location: placeText(location),
        schemaDigest: digest(jsonSchemaOf(schema)),
        columns: storedColumns(schema),
        codeDigest: codeDigest(typeof location === "function" ? location : undefined, keyOf, parse)
      }
    }
    case "partition": {
      const { by, tiers, weight, itemsMax } = definition
      const strategy = by ? "by" : tiers ? "tiers" : weight ? "weight" : "hash"
      return {
        ...base,
        kind: "partition",
        strategy,
        itemsMax: itemsMax ?? null,
        codeDigest: digest([codeDigest(by, tiers?.size, weight), tiers?.tiers ?? null])
      }
    }
    case "when":
      return { ...base, kind: "when", codeDigest: codeDigest(definition.test) }
    case "infer":
      return planInfer(base, definition)
    case "validate":
      return {
        ...base,
        kind: "validate",
        rules: definition.rules.map(({ name, orElse, pass }) => ({ name, orElse, codeDigest: codeDigest(pass) }))
      }
    case "join":
      return { ...base, kind: "join", branches: definition.branchNames }
    case "aggregate":
      return planAggregate(base, definition)
    case "report":
      return { ...base, kind: "report", codeDigest: codeDigest(definition.text) }
  }
}
