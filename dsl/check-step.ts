/** What can be wrong with one step beyond its types. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

import { checkModel } from "./check-model.ts"
import { checkColumns, checkSchema } from "./check-schema.ts"
import { unstoredColumns } from "./columns.ts"
import type { Model } from "./model.ts"
import { faultUnless, type PlanFault } from "./plan-error.ts"
import {
  definitionOf,
  type AggregateDefinition,
  type InferDefinition,
  type PartitionDefinition,
  type PlainSchema,
  type SourceDefinition,
  type Step,
  type ValidateDefinition
} from "./step.ts"

/** Faults of a step, without those of the steps it reads. */
export const checkStep = (step: Step, name: string): ReadonlyArray<PlanFault> => {
  const definition = definitionOf(step)
  switch (definition.kind) {
    case "source":
      return checkSource(name, definition)
    case "partition":
      return checkPartition(name, definition)
    case "infer":
      return checkInfer(name, definition)
    case "validate":
      return checkValidate(name, definition)
    case "join":
      return faultUnless(definition.reads.length > 1, {
        step: name,
        problem: "joins fewer than two branches",
        remedy: "name at least two: join({ a, b })"
      })
    case "aggregate":
      return checkAggregate(name, definition)
    default:
      return []
  }
}

const checkSource = (step: string, { schema, location }: SourceDefinition): ReadonlyArray<PlanFault> => {
  const faults = checkSchema(step, "the schema", schema)
  const isPlaced = typeof location === "function" || (location.length > 0 && [location].flat().every((path) => path.trim() !== ""))
  return [
    ...faults,
    // An item may have its key in a field of that name.
    ...(faults.length > 0 ? [] : checkColumns(step, schema, [])),
    ...faultUnless(isPlaced, {
      step,
      problem: "it reads nothing: the path or query is empty",
      remedy: 'name a file or a glob: "inbox/*.jsonl"'
    })
  ]
}

const checkPartition = (step: string, { by, tiers, weight, itemsMax }: PartitionDefinition): ReadonlyArray<PlanFault> => {
  const strategies = Object.entries({ by, tiers, weight }).flatMap(([strategy, given]) => (given === undefined ? [] : [strategy]))
  return [
    ...faultUnless(strategies.length <= 1, {
      step,
      problem: `has ${strategies.join(" and ")}: one strategy splits the items`,
      remedy: "keep one"
    }),
    ...checkWhole(step, "itemsMax", itemsMax),
    ...(tiers === undefined ? [] : checkTiers(step, tiers))
  ]
}

const checkTiers = (step: string, { tiers }: NonNullable<PartitionDefinition["tiers"]>): ReadonlyArray<PlanFault> => {
  const bounds = tiers.map(({ upTo }) => upTo ?? Number.POSITIVE_INFINITY)
  const names = tiers.map(({ name }) => name)
  return [
    ...faultUnless(
      bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] ?? 0)),
      { step, problem: "the tiers don't ascend", remedy: "order them by upTo, smallest first" }
    ),
    ...faultUnless(bounds.at(-1) === Number.POSITIVE_INFINITY, {
      step,
      problem: "an item may be too large for every tier",
      remedy: "leave upTo out of the last tier"
    }),
    ...faultUnless(new Set(names).size === names.length, {
      step,
      problem: `the tiers are named ${names.join(", ")}`,
      remedy: "give each tier a name of its own"
    })
  ]
}

const isSpacing = (input: Duration.Input): boolean => {
  const duration = Option.getOrUndefined(Duration.fromInput(input))
  const ms = duration === undefined ? 0 : Duration.toMillis(duration)
  return ms >= 1 && ms <= 900_000
}

const checkEvaluation = (step: string, { evaluation }: InferDefinition): ReadonlyArray<PlanFault> => {
  if (evaluation === undefined) return []
  const { labelled, scoreMin } = evaluation
  return [
    ...faultUnless(scoreMin >= 0 && scoreMin <= 1, {
      step,
      problem: `the evaluation's scoreMin is ${scoreMin}`,
      remedy: "give the mean score to reach, from 0 to 1"
    }),
    ...faultUnless("kind" in labelled || (labelled.length > 0 && labelled.length <= 10_000), {
      step,
      problem: `the evaluation has ${"kind" in labelled ? "" : labelled.length} labelled rows`,
      remedy: "give from 1 to 10,000"
    })
  ]
}

const checkInfer = (step: string, infer: InferDefinition): ReadonlyArray<PlanFault> => {
  const { output, models, maxTokens, temperature, retriesMax, retrySpacing, overrides } = infer
  const faults = checkSchema(step, "the output", output)
  const names = models.map((model) => model.name)
  const own = Object.entries(overrides).flatMap(([label, { model }]) => (model === undefined ? [] : [[label, model] as const]))
  const all = modelsOf(infer)
  const priced = all.find(({ engine }) => engine !== "local")
  return [
    ...faults,
    ...(faults.length > 0 ? [] : checkColumns(step, output, ["item_key"])),
    ...checkWhole(step, "maxTokens", maxTokens),
    ...faultUnless(maxTokens !== undefined || priced === undefined, {
      step,
      problem: `maxTokens is missing, so an answer of ${priced?.name} has no upper price`,
      remedy: "set maxTokens to the longest answer you need"
    }),
    ...faultUnless(temperature === undefined || (temperature >= 0 && temperature <= 2), {
      step,
      problem: `temperature is ${temperature}`,
      remedy: "give 0 to 2"
    }),
    ...faultUnless(retriesMax === undefined || (Number.isInteger(retriesMax) && retriesMax >= 0), {
      step,
      problem: `retriesMax is ${retriesMax}`,
      remedy: "give a whole number of at least 0: 0 asks once"
    }),
    ...faultUnless(retrySpacing === undefined || isSpacing(retrySpacing), {
      step,
      problem: `retrySpacing is ${String(retrySpacing)}`,
      remedy: 'give a time from 1 ms to 15 minutes, such as "30 seconds"'
    }),
    ...checkConfidence(step, infer),
    ...checkEvaluation(step, infer),
    ...faultUnless(models.length > 0, { step, problem: "has no model", remedy: "name one: local(…), openai(…), anthropic(…)" }),
    ...faultUnless(new Set(names).size === names.length, {
      step,
      problem: `the cascade names ${names.join(", ")}`,
      remedy: "name each model once"
    }),
    ...faultUnless(models.length <= 1 || own.length === 0, {
      step,
      problem: `the override of "${own[0]?.[0]}" names one model where the step has a cascade`,
      remedy: "override the prompt only, or give the label an infer of its own behind a when"
    }),
    ...all.flatMap((model) => checkModel(step, model))
  ]
}

const checkConfidence = (step: string, { confidence, confidenceMin }: InferDefinition): ReadonlyArray<PlanFault> =>
  confidenceMin === undefined
    ? []
    : [
        ...faultUnless(confidenceMin >= 0 && confidenceMin <= 1, {
          step,
          problem: `confidenceMin is ${confidenceMin}`,
          remedy: "give 0 to 1: 0.7 sends what is less sure to review"
        }),
        ...faultUnless(confidence !== undefined, {
          step,
          problem: "confidenceMin is set, and nothing says how sure an answer is",
          remedy: "add confidence: (output) => …, a number from 0 to 1"
        })
      ]

/** Every model that an infer may ask: its own, and those of its overrides. */
export const modelsOf = ({ models, overrides }: InferDefinition): ReadonlyArray<Model> => [
  ...new Set([...models, ...Object.values(overrides).flatMap(({ model }) => model ?? [])])
]

const checkWhole = (step: string, what: string, value: number | undefined): ReadonlyArray<PlanFault> =>
  faultUnless(value === undefined || (Number.isInteger(value) && value > 0), {
    step,
    problem: `${what} is ${value}`,
    remedy: "give a whole number of at least 1"
  })

const checkValidate = (step: string, { reads, rules }: ValidateDefinition): ReadonlyArray<PlanFault> => [
  ...faultUnless(rules.length > 0, { step, problem: "has no rules", remedy: "name one, or read the infer directly" }),
  ...rules.flatMap(({ name, orElse }) =>
    orElse.verdict !== "retry"
      ? []
      : [
          ...faultUnless(Number.isInteger(orElse.attemptsMax) && orElse.attemptsMax > 1, {
            step,
            problem: `rule "${name}" retries with attemptsMax ${orElse.attemptsMax}`,
            remedy: "attemptsMax counts every call, the first too: give 2 or more"
          }),
          ...faultUnless(!readsJoin(reads[0]), {
            step,
            problem: `rule "${name}" retries, and a join has no one model to ask again`,
            remedy: "validate the branch before the join, or choose another verdict"
          })
        ]
  )
]

/** Whether the answers that reach a validate are a join's. */
const readsJoin = (step: Step): boolean => {
  const definition = definitionOf(step)
  return definition.kind === "join" || ((definition.kind === "validate" || definition.kind === "when") && readsJoin(definition.reads[0]))
}

const checkAggregate = (step: string, { reads, query, reducers }: AggregateDefinition): ReadonlyArray<PlanFault> => {
  if (query === undefined) {
    return faultUnless(Object.keys(reducers ?? {}).length > 0, {
      step,
      problem: "aggregates nothing",
      remedy: "give it a reducer: { total: count }"
    })
  }
  return [...schemasBehind(reads[0])].flatMap((schema) =>
    checkSchema(step, "a schema", schema).length > 0
      ? []
      : unstoredColumns(schema).map((column) => ({
          step,
          problem: `the query may name the column "${column}", and its schema stores that field under another name or within a text`,
          remedy: "use reducers, or name the field alike on both sides of the schema"
        }))
  )
}

/** The schemas whose columns a query sees: of the items, and of every answer behind the step. */
const schemasBehind = (step: Step, visited = new Set<Step>()): ReadonlySet<PlainSchema> => {
  if (visited.has(step)) return new Set()
  visited.add(step)
  const definition = definitionOf(step)
  const own = definition.kind === "source" ? [definition.schema] : definition.kind === "infer" ? [definition.output] : []
  return new Set([...own, ...definition.reads.flatMap((read) => [...schemasBehind(read, visited)])])
}
