/** The services that a job's callbacks need. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

import type { Job } from "../../dsl/index.ts"
import { ServicesFailed } from "./run-error.ts"

/** Builds the job's layer; it closes with the scope. The cast: the compiler proved that the layer gives all that the callbacks need. */
export const buildServices = (job: Job): Effect.Effect<Context.Context<never>, ServicesFailed, Scope.Scope> =>
  Layer.build(job.options.services ?? Layer.empty).pipe(
    Effect.mapError((cause) => new ServicesFailed({ job: job.name, detail: cause instanceof Error ? cause.message : String(cause) }))
  ) as Effect.Effect<Context.Context<never>, ServicesFailed, Scope.Scope>
