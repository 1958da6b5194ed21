/** Everything that can be wrong with a job beyond its types, found without reading a file or calling a model. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

import { checkApproval } from "./check-approval.ts"
import { checkRelease } from "./check-release.ts"
import { checkSchema } from "./check-schema.ts"
import { checkStep } from "./check-step.ts"
import type { Job } from "./job.ts"
import { modelSteps } from "./model.ts"
import { faultUnless, type PlanFault } from "./plan-error.ts"
import { definitionOf, type Step } from "./step.ts"

/** All faults of a job: its own, its steps' names and numbers, then each step's, then where its data may go. Empty for a job that compiles. */
export const checkJob = (job: Job): ReadonlyArray<PlanFault> => [
  ...checkDeclaration(job),
  ...checkListing(job),
  ...checkNames(job),
  ...checkShape(job),
  ...[...job.names].flatMap(([step, name]) => checkStep(step, name)),
  ...checkApproval(job),
  ...checkRelease(job)
]

const checkDeclaration = ({ name, options }: Job): ReadonlyArray<PlanFault> => {
  const {
    owner,
    purpose,
    budget,
    retention,
    failureRateMax,
    passRateMin = 1,
    release,
    gateExpiry,
    callbackTimeout,
    schedule,
    params,
    consumers = [],
    notify = []
  } = options
  const sample = release?.sample ?? 1
  return [
    ...faultUnless(/^[a-z][a-z0-9-]{0,62}$/.test(name), {
      step: "job",
      problem: `"${name}" is no name for a job`,
      remedy: 'use lower-case letters, digits and hyphens, 63 at most: "mail-triage"'
    }),
    ...faultUnless(owner.trim() !== "", { step: "job", problem: "the owner is empty", remedy: "name the team that answers for the job" }),
    ...faultUnless(purpose.trim() !== "", {
      step: "job",
      problem: "the purpose is empty",
      remedy: "say why the job may use its data, in a few words"
    }),
    ...faultUnless(Number.isFinite(budget.usd) && budget.usd >= 0, {
      step: "job",
      problem: `the budget is ${budget.usd} US dollars`,
      remedy: "give a finite amount of at least 0: usd(40)"
    }),
    ...(retention === undefined ? [] : checkDuration("retention", retention)),
    ...faultUnless(passRateMin >= 0 && passRateMin <= 1, {
      step: "job",
      problem: `passRateMin is ${passRateMin}, not a share`,
      remedy: "give a number from 0 to 1: 0.99 lets one item in a hundred fail"
    }),
    ...faultUnless(Number.isInteger(sample) && sample >= 1 && sample <= 1_000, {
      step: "job",
      problem: `release.sample is ${sample}`,
      remedy: "say how many items a person looks at: a whole number from 1 to 1,000"
    }),
    ...faultUnless(failureRateMax === undefined || (failureRateMax >= 0 && failureRateMax <= 1), {
      step: "job",
      problem: `failureRateMax is ${failureRateMax}`,
      remedy: "give a share from 0 to 1: 0.05 is 5 %"
    }),
    ...(gateExpiry === undefined ? [] : checkDuration("gateExpiry", gateExpiry)),
    ...(schedule === undefined ? [] : checkDuration("the schedule's within", schedule.within)),
    ...(callbackTimeout === undefined ? [] : checkCallbackTimeout(callbackTimeout)),
    ...(params === undefined ? [] : checkSchema("job", "params", params)),
    ...faultUnless(new Set(consumers).size === consumers.length, {
      step: "job",
      problem: "a consumer is named twice",
      remedy: "list each consumer once"
    }),
    ...faultUnless(new Set(notify).size === notify.length && notify.every((channel) => channel.trim() !== ""), {
      step: "job",
      problem: "notify names a channel twice, or none",
      remedy: 'name each channel once, as the accounts file does: notify: ["ops"]'
    })
  ]
}

const checkDuration = (what: string, input: Duration.Input): ReadonlyArray<PlanFault> => {
  const duration = Option.getOrUndefined(Duration.fromInput(input))
  const ms = duration === undefined ? Number.NaN : Duration.toMillis(duration)
  return faultUnless(Number.isFinite(ms) && ms > 0, {
    step: "job",
    problem: `${what} is ${typeof input === "string" ? `"${input}"` : String(duration ?? input)}, not a span of time`,
    remedy: 'write a positive duration: "6 hours"'
  })
}

const checkCallbackTimeout = (input: Duration.Input): ReadonlyArray<PlanFault> => {
  const faults = checkDuration("callbackTimeout", input)
  if (faults.length > 0) return faults
  const ms = Duration.toMillis(Duration.fromInputUnsafe(input))
  return faultUnless(ms >= 1_000 && ms <= 3_600_000, {
    step: "job",
    problem: `callbackTimeout is ${ms / 1_000} s`,
    remedy: 'give from 1 second to 1 hour: "2 minutes"'
  })
}

/** One step, one name: rows, tables and checkpoints are found by it. */
const checkListing = (job: Job): ReadonlyArray<PlanFault> =>
  Object.entries(job.steps).flatMap(([name, step]) =>
    faultUnless(job.names.get(step) === name, {
      step: name,
      problem: `is the step that is also listed as ${job.names.get(step)}`,
      remedy: "list it once"
    })
  )

const checkNames = (job: Job): ReadonlyArray<PlanFault> => {
  const seen = new Map<string, string>()
  return [...job.names].flatMap(([step, name]) => [
    ...(Object.hasOwn(job.steps, name) ? checkName(name) : checkMadeName(name)),
    ...namesOf(step, name).flatMap((each) => {
      const twin = seen.get(each.toLowerCase())
      seen.set(each.toLowerCase(), each)
      return faultUnless(twin === undefined, {
        step: each,
        problem: twin === each ? "is the name of two steps" : `differs from ${twin} only in case, and tables don't`,
        remedy: "rename one of the two, or list the one that isn't in `steps`"
      })
    })
  ])
}

const checkName = (step: string): ReadonlyArray<PlanFault> =>
  faultUnless(/^[A-Za-z][A-Za-z0-9_]{0,62}$/.test(step), {
    step,
    problem: "is no name for a step",
    remedy: "names become tables: use letters, digits and _, starting with a letter, 63 at most"
  })

/** An unlisted step is called after its readers, so only its length is its own fault. */
const checkMadeName = (step: string): ReadonlyArray<PlanFault> =>
  faultUnless(step.length <= 63, {
    step,
    problem: `is a name of ${step.length} characters, made of its readers' names`,
    remedy: "list the step under a name of 63 characters at most"
  })

/** A cascade is several checkpointed steps. */
const namesOf = (step: Step, name: string): ReadonlyArray<string> => {
  const definition = definitionOf(step)
  return definition.kind === "infer" && definition.models.length > 1 ? [name, ...modelSteps(name, definition.models)] : [name]
}

const checkShape = (job: Job): ReadonlyArray<PlanFault> => {
  const kinds = [...job.names.keys()].map(({ kind }) => kind)
  const countOf = (kind: string): number => kinds.filter((each) => each === kind).length
  return [
    ...faultUnless(countOf("source") === 1, {
      step: "job",
      problem: `it has ${countOf("source")} sources`,
      remedy: "a run has one manifest: read one source, and join other data in its query or prompt"
    }),
    ...faultUnless(countOf("partition") <= 1, {
      step: "job",
      problem: `it has ${countOf("partition")} partition steps`,
      remedy: "split the source once and let every infer read that partition"
    }),
    ...faultUnless(countOf("infer") > 0, { step: "job", problem: "it has no infer step", remedy: "add infer(partition, { … })" })
  ]
}
