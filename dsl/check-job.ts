/** Everything that can be wrong with a job beyond its types, found without reading a file or calling a model. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

import { columnsOf, jsonSchemaOf } from "./columns.ts"
import type { Job } from "./job.ts"
import { modelSteps } from "./model.ts"
import type { PlanFault } from "./plan-error.ts"
import { definitionOf, type InferDefinition, type PartitionDefinition, type PlainSchema, type Step, type ValidateDefinition } from "./step.ts"

/** All faults of a job, in the order of its steps; empty for a job that compiles. */
export const checkJob = (job: Job): ReadonlyArray<PlanFault> => [
  ...checkDeclaration(job),
  ...checkNames(job),
  ...checkShape(job),
  ...[...job.names].flatMap(([step, name]) => checkStep(step, name))
]

const fault = (step: string, problem: string, remedy: string): PlanFault => ({ step, problem, remedy })
const unless = (holds: boolean, step: string, problem: string, remedy: string): ReadonlyArray<PlanFault> =>
  holds ? [] : [fault(step, problem, remedy)]

const checkDeclaration = ({ name, options }: Job): ReadonlyArray<PlanFault> => [
  ...unless(/^[a-z][a-z0-9-]{0,62}$/.test(name), "job", `"${name}" is no name for a job`, "use lower-case letters, digits and hyphens, 63 at most: \"mail-triage\""),
  ...unless(options.owner.trim() !== "", "job", "the owner is empty", "name the team that answers for the job"),
  ...unless(options.purpose.trim() !== "", "job", "the purpose is empty", "say why the job may use its data, in a few words"),
  ...unless(Number.isFinite(options.budget.usd) && options.budget.usd >= 0, "job", `a budget of ${options.budget.usd} US dollars`, "give a finite amount of at least 0: usd(40)"),
  ...(options.retention === undefined ? [] : checkDuration("job", "retention", options.retention)),
  ...(options.schedule === undefined ? [] : checkDuration("job", "schedule's within", options.schedule.within)),
  ...(options.params === undefined ? [] : checkSchema("job", "params", options.params)),
  ...unless(new Set(options.consumers ?? []).size === (options.consumers ?? []).length, "job", "a consumer is named twice", "list each consumer once")
]

const checkDuration = (step: string, what: string, input: Duration.Input): ReadonlyArray<PlanFault> => {
  const duration = Option.getOrUndefined(Duration.fromInput(input))
  const ms = duration === undefined ? Number.NaN : Duration.toMillis(duration)
  return unless(Number.isFinite(ms) && ms > 0, step, `${what} is ${JSON.stringify(input)}, not a span of time`, 'write a positive duration: "6 hours"')
}

const checkSchema = (step: string, what: string, schema: PlainSchema): ReadonlyArray<PlanFault> => {
  try {
    const json = jsonSchemaOf(schema)
    return json.type === "object" || json.$ref !== undefined || json.anyOf !== undefined
      ? []
      : [fault(step, `${what} is not an object`, "use a Schema.Struct: its fields become columns")]
  } catch (error) {
    return [fault(step, `${what} has no JSON form: ${messageOf(error)}`, "use fields that JSON can hold, or add a codec to the field")]
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? ""

const checkNames = (job: Job): ReadonlyArray<PlanFault> => {
  const checkpointed = [...job.names].flatMap(([step, name]) => {
    const definition = definitionOf(step)
    return definition.kind === "infer" && definition.models.length > 1 ? [name, ...modelSteps(name, definition.models)] : [name]
  })
  const seen = new Map<string, string>()
  return [...new Set(checkpointed)].flatMap((name) => {
    const twin = seen.get(name.toLowerCase())
    seen.set(name.toLowerCase(), name)
    return [
      ...unless(/^[A-Za-z][A-Za-z0-9_]{0,62}$/.test(name), name, "no name for a step", "names become tables: letters, digits and _, starting with a letter, 63 at most"),
      ...unless(twin === undefined, name, `differs from "${twin}" only in case, and tables don't`, "rename one of the two")
    ]
  })
}

const checkShape = (job: Job): ReadonlyArray<PlanFault> => {
  const kinds = [...job.names.keys()].map(({ kind }) => kind)
  const countOf = (kind: string): number => kinds.filter((each) => each === kind).length
  return [
    ...unless(countOf("source") === 1, "job", `it has ${countOf("source")} sources`, "a run has one manifest: read one source, and join other data in its query or prompt"),
    ...unless(countOf("partition") <= 1, "job", `it has ${countOf("partition")} partition steps`, "split the source once and let every infer read that partition"),
    ...unless(countOf("infer") > 0, "job", "it has no infer step", "add infer(partition, { … })")
  ]
}

const checkStep = (step: Step, name: string): ReadonlyArray<PlanFault> => {
  const definition = definitionOf(step)
  switch (definition.kind) {
    case "source":
      return checkSchema(name, "the schema", definition.schema)
    case "partition":
      return checkPartition(name, definition)
    case "infer":
      return checkInfer(name, definition)
    case "validate":
      return checkValidate(name, definition)
    case "join":
      return unless(definition.reads.length > 1, name, "joins fewer than two branches", "name at least two: join({ a, b })")
    case "aggregate":
      return unless(definition.query !== undefined || Object.keys(definition.reducers ?? {}).length > 0, name, "aggregates nothing", "give it a reducer: { total: count }")
    default:
      return []
  }
}

const checkPartition = (name: string, { by, tiers, weight, itemsMax }: PartitionDefinition): ReadonlyArray<PlanFault> => {
  const strategies = Object.entries({ by, tiers, weight }).filter(([, given]) => given !== undefined).map(([strategy]) => strategy)
  const bounds = (tiers?.tiers ?? []).map(({ upTo }) => upTo ?? Number.POSITIVE_INFINITY)
  return [
    ...unless(strategies.length <= 1, name, `has ${strategies.join(" and ")}: one strategy splits the items`, "keep one"),
    ...unless(itemsMax === undefined || (Number.isInteger(itemsMax) && itemsMax > 0), name, `itemsMax is ${itemsMax}`, "give a whole number of at least 1"),
    ...unless(tiers === undefined || (bounds.length > 0 && bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] ?? 0))), name, "the tiers don't ascend", "order them by upTo, smallest first"),
    ...unless(tiers === undefined || bounds.at(-1) === Number.POSITIVE_INFINITY, name, "an item may be too large for every tier", "leave upTo out of the last tier")
  ]
}

const checkInfer = (name: string, infer: InferDefinition): ReadonlyArray<PlanFault> => {
  const faults = checkSchema(name, "the output", infer.output)
  const columns = faults.length > 0 ? [] : columnsOf(jsonSchemaOf(infer.output)).map((column) => column.name.toLowerCase())
  const twice = columns.find((column, index) => columns.indexOf(column) !== index)
  const names = infer.models.map((model) => model.name)
  const remote = infer.models.filter(({ engine }) => engine !== "local")
  return [
    ...faults,
    ...unless(twice === undefined, name, `two output fields become the column "${twice}"`, "rename one: nested fields are joined by _"),
    ...unless(infer.maxTokens === undefined || (Number.isInteger(infer.maxTokens) && infer.maxTokens > 0), name, `maxTokens is ${infer.maxTokens}`, "give a whole number of at least 1"),
    ...unless(infer.maxTokens !== undefined || remote.length === 0, name, `maxTokens is missing, so an answer of ${remote[0]?.name} has no upper price`, "set maxTokens to the longest answer you need"),
    ...unless(infer.temperature === undefined || (infer.temperature >= 0 && infer.temperature <= 2), name, `temperature is ${infer.temperature}`, "give 0 to 2"),
    ...unless(infer.models.length > 0, name, "has no model", "name one: local(…), openai(…), anthropic(…)"),
    ...unless(new Set(names).size === names.length, name, `the cascade names ${names.join(", ")}`, "name each model once"),
    ...unless(infer.models.every(({ engine, tier }) => engine !== "local" || tier === "realtime"), name, "an embedded model has no batch tier", "drop the tier")
  ]
}

const checkValidate = (name: string, { rules }: ValidateDefinition): ReadonlyArray<PlanFault> => [
  ...unless(rules.length > 0, name, "has no rules", "name one, or read the infer directly"),
  ...rules.flatMap(({ name: rule, orElse }) =>
    unless(orElse.verdict !== "retry" || (Number.isInteger(orElse.attemptsMax) && orElse.attemptsMax > 1), name, `rule "${rule}" retries with attemptsMax ${orElse.verdict === "retry" ? orElse.attemptsMax : ""}`, "attemptsMax counts every call, the first too: 2 or more")
  )
]
