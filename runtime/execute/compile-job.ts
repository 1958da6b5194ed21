/** `compile` as an Effect: all faults of a job as one error. */
import * as Effect from "effect/Effect"

import { compile, PlanError, type Job, type Plan } from "../../dsl/index.ts"

export const compileJob = (job: Job): Effect.Effect<Plan, PlanError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(compile(job))
    } catch (error) {
      return error instanceof PlanError ? Effect.fail(error) : Effect.die(error)
    }
  })
