/** Compiles a job for a command: the DSL's checks and the calendar's, all faults at once. */
import * as Effect from "effect/Effect"

import { PlanError, type Job, type Plan } from "../../dsl/index.ts"
import { compileJob } from "../execute/compile-job.ts"

/** The calendar is looked at only for a job with a schedule, and loaded only then. */
export const planOf = Effect.fn("Cli.planOf")(function* (job: Job): Effect.fn.Return<Plan, PlanError> {
  const { schedule } = job.options
  const faults = schedule === undefined ? [] : (yield* Effect.promise(() => import("../schedule/fire-times.ts"))).checkSchedule(schedule)
  const plan = yield* Effect.mapError(compileJob(job), (error) => new PlanError(error.job, [...error.faults, ...faults]))
  if (faults.length > 0) return yield* Effect.fail(new PlanError(job.name, faults))
  return plan
})
