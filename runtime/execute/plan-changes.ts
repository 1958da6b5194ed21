/** What differs between the plan that a run began with and the one that its job compiles to now, in words that name no data. */
import { canonicalJson, type Plan, type PlannedStep } from "../../dsl/index.ts"

export interface PlanChange {
  /** "job" for what belongs to no step. */
  readonly step: string
  readonly what: ReadonlyArray<string>
}

/** Step by step; steps in the order of the new plan, removed ones last. */
export const planChanges = (began: Plan, now: Plan): ReadonlyArray<PlanChange> => {
  const before = new Map(began.steps.map((step) => [step.name, step]))
  const after = new Set(now.steps.map(({ name }) => name))
  return [
    ...changeOf("job", fieldsThatDiffer(began, now, new Set(["steps", "digest"]))),
    ...now.steps.flatMap((step) => {
      const old = before.get(step.name)
      return old === undefined ? changeOf(step.name, ["added"]) : changeOf(step.name, stepChanges(old, step))
    }),
    ...began.steps.flatMap(({ name }) => (after.has(name) ? [] : changeOf(name, ["removed"])))
  ]
}

/**
 * Why a run whose manifest stands can't go on under the new plan: what is done has its rows at steps that the new plan doesn't have, or lacks rows at steps
 * that it does; and what the manifest holds is as the old source and partition made it. Empty where it can.
 */
export const planObstacles = (began: Plan, now: Plan): ReadonlyArray<string> => {
  const before = new Map(began.steps.map((step) => [step.name, step]))
  const after = new Map(now.steps.map((step) => [step.name, step]))
  const removed = began.steps.filter((step) => takesRows(step) && !after.has(step.name))
  return [
    ...removed.map(({ name }) => `step "${name}" is gone, and items have their answers there`),
    ...now.steps.flatMap((step) => {
      const old = before.get(step.name)
      const { name } = step
      if (!takesRows(step)) return inputObstacle(old, step)
      if (old === undefined) return [`step "${name}" is new, and items that are done have nothing there`]
      if (old.kind !== step.kind || canonicalJson(old.reads) !== canonicalJson(step.reads) || old.terminal !== step.terminal)
        return [`step "${name}" stands elsewhere between the others`]
      return isAggregated(now, name) && !isAggregated(began, name) && step.kind !== "infer" && !step.terminal
        ? [`step "${name}" is read by an aggregate now, and items that are done left no row there`]
        : []
    })
  ]
}

const inputObstacle = (old: PlannedStep | undefined, step: PlannedStep): ReadonlyArray<string> => {
  if (step.kind === "source" && (old?.kind !== "source" || old.schemaDigest !== step.schemaDigest))
    return [`the items' schema at "${step.name}" is another, and the manifest holds them as they were read`]
  const isOther = old?.kind !== "partition" || canonicalJson(old) !== canonicalJson(step)
  return step.kind === "partition" && isOther ? [`"${step.name}" splits the input otherwise, and the manifest is laid out already`] : []
}

const takesRows = ({ kind }: PlannedStep): boolean => kind === "when" || kind === "infer" || kind === "validate" || kind === "join"

const isAggregated = ({ steps }: Plan, name: string): boolean =>
  steps.some(({ kind, reads }) => kind === "aggregate" && reads.includes(name))

const changeOf = (step: string, what: ReadonlyArray<string>): ReadonlyArray<PlanChange> => (what.length === 0 ? [] : [{ step, what }])

const stepChanges = (old: PlannedStep, step: PlannedStep): ReadonlyArray<string> => {
  const fields = fieldsThatDiffer(old, step, new Set(["columns"]))
  // A prompt's digest covers the schema too: only where that stands still does it tell of the prompt.
  return fields.includes("schema") ? fields.filter((field) => field !== "prompt") : fields
}

const fieldsThatDiffer = (old: object, now: object, without: ReadonlySet<string>): ReadonlyArray<string> => {
  const a = new Map(Object.entries(old))
  const b = new Map(Object.entries(now))
  const fields = new Set([...a.keys(), ...b.keys()].filter((field) => !without.has(field)))
  const differing = [...fields].filter((field) => canonicalJson(a.get(field) ?? null) !== canonicalJson(b.get(field) ?? null))
  return [...new Set(differing.map((field) => words[field] ?? field))]
}

/** What an author calls them. */
const words: Readonly<Record<string, string>> = {
  promptDigest: "prompt",
  codeDigest: "callbacks",
  schemaDigest: "schema",
  models: "model",
  budgetUsd: "budget",
  retentionMs: "retention",
  gateExpiryMs: "gateExpiry"
}
