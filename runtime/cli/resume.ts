/** `runtime resume RUN` */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { sameEnvFlag } from "./money-flags.ts"
import { osUser } from "./os-user.ts"
import { verb } from "./verb.ts"

export const resume = verb(
  "resume",
  {
    description:
      "Go on with a run from its checkpoints, after a kill, an interruption or a failure. Items that are done are not asked again. A run that waits at a gate is let go on by `runtime approve`.",
    examples: [["runtime resume mail-triage-20261125-013000-7f3k", "go on where it stopped"]]
  },
  {
    run: Argument.String("run").pipe(Argument.withDescription("the run's name, as `runtime runs` lists it")),
    acceptPlan: Flag.Boolean("accept-plan").pipe(
      Flag.withDescription("go on although the job compiles to another plan than it began with: approves its gate, in your name"),
      Flag.withDefault(false)
    ),
    env: sameEnvFlag
  },
  ({ run, acceptPlan, env, state, json }) =>
    resumeRun({ run, acceptPlan, env: Option.getOrNull(env), state, json, command: `runtime resume ${run}` })
)

export interface ResumeRequest {
  readonly run: string
  readonly acceptPlan: boolean
  /** Null for the one that the run began with. */
  readonly env: string | null
  readonly state: string
  readonly json: boolean
  /** What was typed. */
  readonly command: string
}

/** Goes on with a run in the foreground. */
export const resumeRun = Effect.fn("Cli.resume")(function* ({ run, acceptPlan, env, state, json, command }: ResumeRequest) {
  const { findRun, planBegun } = yield* Effect.promise(() => import("../execute/resume.ts"))
  const { planToResume } = yield* Effect.promise(() => import("../execute/plan-to-resume.ts"))
  const { loadJob } = yield* Effect.promise(() => import("../execute/load-job.ts"))
  const { openGateOf } = yield* Effect.promise(() => import("../execute/open-gate.ts"))
  const { isEndUntold } = yield* Effect.promise(() => import("../execute/tell-end.ts"))
  const { endToOutcome, runToOutcome, waitingAtRest, waitingOutcome } = yield* Effect.promise(() => import("./run-outcome.ts"))
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  const { decodeRunParams } = yield* Effect.promise(() => import("./run-params.ts"))
  const { accountsFor } = yield* Effect.promise(() => import("./run-accounts.ts"))
  const { readThroughput } = yield* Effect.promise(() => import("../store/throughput.ts"))
  const folder = yield* openStateFolder(state)
  const found = yield* findRun(folder, run)
  if (found.status === "done" && isEndUntold(folder.run(run))) return yield* endToOutcome(folder, found.start, command)
  // A session more wouldn't change what the gate says, unless it is about the job, which may be another now.
  const waits = found.status === "waiting" ? yield* openGateOf(folder, run) : null
  const isAboutJob = waits?.kind === "plan-changed" || waits?.kind === "evaluation"
  if (waits !== null && !isAboutJob) return yield* waitingOutcome(folder, yield* planBegun(found.start), waits)
  const { job, codeVersion } = yield* loadJob(found.start.jobModule)
  const agreed = yield* Effect.result(planToResume({ folder, found, job, acceptedBy: acceptPlan ? osUser() : null }))
  if (agreed._tag === "Failure") {
    const { failure } = agreed
    return yield* failure._tag === "WaitsAtGate" ? waitingAtRest(folder, found.start, failure) : Effect.fail(failure)
  }
  const { start, plan, isPlanChanged } = agreed.success
  if (waits?.kind === "evaluation" && !isPlanChanged) return yield* waitingOutcome(folder, plan, waits)
  if (isPlanChanged) yield* Effect.logWarning(`Run ${run} goes on under another plan: its new rows carry ${plan.digest.slice(0, 12)}.`)
  const { params, date } = yield* decodeRunParams(job, plan, start)
  const measuredPerMinute = yield* readThroughput(folder.root, plan.job)
  return yield* runToOutcome(
    {
      job,
      plan,
      codeVersion,
      folder,
      start,
      params,
      date,
      measuredPerMinute,
      purpose: "work",
      accounts: yield* accountsFor(folder.run(run), env),
      command
    },
    json
  )
})
