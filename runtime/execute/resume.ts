/** Finds what a run began with, so that it can go on. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"

import { canonicalJson, type Job, type Plan, type PlanError } from "../../dsl/index.ts"
import type { RunStart } from "../store/ledger.ts"
import { readLinkedStart } from "../store/linked-file.ts"
import { readRunStart } from "../store/read-run-start.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { compileJob } from "./compile-job.ts"
import { PlanChanged, RunClosed, RunNotBegun, RunNotFound } from "./run-error.ts"

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
  return start === null ? null : { start, status: "preparing" as const }
})

/** Holds today's job against the run's plan. Another plan is refused unless it is accepted. */
export const resumeUnder = Effect.fn("Run.resumeUnder")(function* (
  { start, status }: { readonly start: RunStart; readonly status: string },
  job: Job,
  acceptPlan: boolean
): Effect.fn.Return<Resumed, PlanError | PlanChanged | RunClosed> {
  if (status === "done") return yield* new RunClosed({ run: start.run })
  const plan = yield* compileJob(job)
  const isPlanChanged = plan.digest !== start.planDigest
  if (isPlanChanged && !acceptPlan) return yield* new PlanChanged({ run: start.run, began: start.planDigest, now: plan.digest })
  return { start: { ...start, plan: canonicalJson(plan), planDigest: plan.digest }, plan, isPlanChanged }
})
