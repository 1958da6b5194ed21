/** Which engines this version can ask. */
import * as Effect from "effect/Effect"

import type { Job } from "../../dsl/index.ts"
import type { RowNode } from "./graph.ts"
import { EngineMissing } from "./run-error.ts"

/** Fails, naming them, where any of the steps asks a model that isn't embedded. */
export const refuseMissingEngines = (job: Job, steps: ReadonlyArray<RowNode>): Effect.Effect<void, EngineMissing> => {
  const models = steps.flatMap((node) =>
    node.kind === "infer"
      ? [...node.models.map(({ model }) => model), ...[...node.overrides.values()].flatMap(({ model }) => model ?? [])]
      : []
  )
  const missing = models.filter(({ engine }) => engine !== "local").map(({ name }) => name)
  return missing.length === 0 ? Effect.void : Effect.fail(new EngineMissing({ job: job.name, models: missing }))
}
