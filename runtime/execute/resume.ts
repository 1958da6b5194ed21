/** Finds what a run began with, so that it can go on. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Job, Plan, PlanError } from "../../dsl/index.ts"
import type { RunStart } from "../store/ledger.ts"
import { readLinkedStart } from "../store/linked-file.ts"
import { readRunStart, type FoundRun } from "../store/read-run-start.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { compileJob } from "./compile-job.ts"
import { PlanChanged, RunClosed, RunNotBegun, RunNotFound } from "./run-error.ts"

export type { FoundRun }

export interface Resumed {
  readonly start: RunStart
  readonly plan: Plan
  /** Whether the plan differs from the one that the run began with. */
  readonly isPlanChanged: boolean
}

/** The run's beginnings. Fails for a run that isn't there or is done. */
export const findRun = Effect.fn("Run.find")(function* (folder: StateFolder, run: string) {
  if (!/^[A-Za-z0-9._-]+$/.test(run) || !existsSync(folder.run(run).root)) return yield* new RunNotFound({ run, state: folder.root })
  const found = (yield* unbegunLinked(folder, run)) ?? (yield* readRunStart(folder.run(run)))
  if (found === null) return yield* new RunNotBegun({ run })
  return found
})

/** A linked run whose process died before its first row: what it begins with is complete, for nothing refers to it before. */
const unbegunLinked = Effect.fnUntraced(function* (folder: StateFolder, run: string) {
  if (existsSync(folder.run(run).state)) return null
  const start = yield* readLinkedStart(folder.run(run))
  return start === null ? null : { start, status: "preparing" as const, isSealed: false }
})

/** The plan that a run began with. */
export const planBegun = ({ plan }: Pick<RunStart, "plan">) =>
  // Written by `compile`, in this state's own format.
  Effect.map(Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))(plan), (decoded) => decoded as Plan)

/** Holds today's job against the run's plan: another plan is refused. */
export const resumeUnder = Effect.fn("Run.resumeUnder")(function* (
  { start, status }: Pick<FoundRun, "start" | "status">,
  job: Job
): Effect.fn.Return<Resumed, PlanError | PlanChanged | RunClosed> {
  if (status === "done") return yield* new RunClosed({ run: start.run })
  const plan = yield* compileJob(job)
  if (plan.digest !== start.planDigest) return yield* new PlanChanged({ run: start.run })
  return { start, plan, isPlanChanged: false }
})
