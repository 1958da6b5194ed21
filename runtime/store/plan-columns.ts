/** Which columns the answers of a step have, from the plan. */
import type { FlatColumn, Plan, PlannedStep } from "../../dsl/index.ts"

/** A column of a step's output: `path` starts at the output's root. */
export const answerColumns = (plan: Plan, step: string): ReadonlyArray<FlatColumn> => {
  const planned = plannedStep(plan, step)
  switch (planned.kind) {
    case "infer":
      return planned.columns
    case "validate":
    case "when":
      return answerColumns(plan, planned.reads[0] ?? "")
    case "join":
      return planned.reads.flatMap((read, index) => {
        const branch = planned.branches[index] ?? read
        return answerColumns(plan, read).map((column) => ({ ...column, name: `${branch}_${column.name}`, path: [branch, ...column.path] }))
      })
    default:
      return []
  }
}

/** The columns of the source's items. */
export const itemColumns = (plan: Plan): ReadonlyArray<FlatColumn> =>
  plan.steps.flatMap((step) => (step.kind === "source" ? step.columns : []))

const plannedStep = (plan: Plan, step: string): PlannedStep => {
  const found = plan.steps.find(({ name }) => name === step)
  if (found === undefined) throw new Error(`The plan of ${plan.job} has no step "${step}"`)
  return found
}

/** Names of the steps where an item's disposition is decided. */
export const terminalSteps = (plan: Plan): ReadonlyArray<string> => plan.steps.filter(({ terminal }) => terminal).map(({ name }) => name)
