/** The plan that a run goes on under: its own, or the one that its job compiles to now once a person agreed. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { canonicalJson, type Job, type Plan } from "../../dsl/index.ts"
import { decideGate, listRunGates } from "../store/decide-gate.ts"
import { expiryOf, isOverdue } from "../store/gate-expiry.ts"
import { openGateAtRest, withdrawGateAtRest } from "../store/gate-at-rest.ts"
import { isOpenBatch, readRunBatches } from "../store/read-open-batches.ts"
import { readRunStatus } from "../store/read-run-status.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { compileJob } from "./compile-job.ts"
import { isRejected } from "./hold-rest.ts"
import { planChangedGate } from "./plan-changed-gate.ts"
import { planChanges, planObstacles } from "./plan-changes.ts"
import { planBegun, type FoundRun, type Resumed } from "./resume.ts"
import { PlanUnfit, RunClosed, waitsAt } from "./run-error.ts"

export interface PlanQuestion {
  readonly folder: StateFolder
  readonly found: FoundRun
  readonly job: Job
  /** Who agrees to another plan without having been asked; null to ask. */
  readonly acceptedBy: string | null
}

/**
 * Under an equal plan the run goes on. Under another one it waits for a person at a gate that says what changed, and is refused where going on is
 * impossible. One that a person said no to ends under the plan that it began with.
 */
export const planToResume = Effect.fn("Run.planToResume")(function* ({ folder, found, job, acceptedBy }: PlanQuestion) {
  const { start, status } = found
  const { run } = start
  if (status === "done") return yield* new RunClosed({ run })
  const plan = yield* compileJob(job)
  const gates = yield* listRunGates(folder, run)
  if (plan.digest === start.planDigest) {
    if (gates.some(({ kind, decision }) => kind === "plan-changed" && decision === null))
      yield* withdrawGateAtRest(folder, run, "plan-changed")
    return { start, plan, isPlanChanged: false } satisfies Resumed
  }
  const began = yield* planBegun(start)
  const goOn = { start: { ...start, plan: canonicalJson(plan), planDigest: plan.digest }, plan, isPlanChanged: true } satisfies Resumed
  const obstacles = found.isSealed ? [...planObstacles(began, plan), ...(yield* orphanedBatches(folder, run, plan))] : []
  if (obstacles.length > 0) return yield* new PlanUnfit({ run, obstacles })
  const now = yield* Clock.currentTimeMillis
  if (isRejected(gates) || gates.some((gate) => isOverdue(gate, now))) return { start, plan: began, isPlanChanged: false } satisfies Resumed
  const isApproved = gates.some(
    ({ kind, decision, detail }) => kind === "plan-changed" && decision === "approved" && planChangedGate.read(detail)?.now === plan.digest
  )
  if (isApproved) return goOn
  const progress = yield* readRunStatus(folder.run(run), run)
  const items = progress?.manifest ?? 0
  const detail = {
    began: start.planDigest,
    now: plan.digest,
    changes: planChanges(began, plan),
    items,
    openItems: items - (progress?.committed ?? 0)
  }
  const openedAt = new Date(now)
  const expiresAt = expiryOf(openedAt, plan)
  const { gate } = yield* openGateAtRest(folder, run, { kind: "plan-changed", detail: canonicalJson(detail), openedAt, expiresAt })
  if (acceptedBy === null) return yield* waitsAt({ run, gate, kind: "plan-changed", detail, expiresAt })
  yield* decideGate(folder, { gate, decision: "approved", by: acceptedBy, addUsd: null, note: null })
  return goOn
})

/** Batches whose answers no model of the plan could take. */
const orphanedBatches = Effect.fnUntraced(function* (folder: StateFolder, run: string, { steps }: Plan) {
  const models = steps.flatMap((step) =>
    step.kind === "infer" ? [...step.models, ...step.overrides.flatMap(({ model }) => (model === null ? [] : [model]))] : []
  )
  const open = (yield* readRunBatches(folder.run(run))).filter(isOpenBatch)
  return open.flatMap(({ engine, account, model, providerBatch }) =>
    models.some((each) => each.engine === engine && each.account === account && each.name === model)
      ? []
      : [`batch ${providerBatch ?? "on its way"} of account "${account}" answers for ${model}, which no step names any more`]
  )
})
