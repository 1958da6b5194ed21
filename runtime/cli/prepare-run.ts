/** Everything a new run is begun with, checked before anything is written. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"

import { canonicalJson, PlanError, type Job, type Plan } from "../../dsl/index.ts"
import { estimateUsd } from "../execute/capacity.ts"
import { compileJob } from "../execute/compile-job.ts"
import { loadJob } from "../execute/load-job.ts"
import type { RunOptions } from "../execute/run.ts"
import { checkSchedule, logicalTimeOf } from "../schedule/fire-times.ts"
import { measuredThroughput } from "../store/control.ts"
import { openStateFolder } from "../store/state-folder.ts"
import { Misuse } from "./misuse.ts"

export interface RunRequest {
  readonly reference: string
  readonly date: string | null
  readonly params: Readonly<Record<string, string>>
  readonly itemLimit: number | null
  readonly state: string
}

export const prepareRun = Effect.fn("Cli.prepareRun")(function* (request: RunRequest) {
  const { job, module, codeVersion } = yield* loadJob(request.reference)
  const plan = yield* planOf(job)
  const now = new Date(yield* Clock.currentTimeMillis)
  const logical = logicalTimeOf(plan.schedule, request.date, now)
  if ("problem" in logical) return yield* new Misuse({ problem: `--date: ${logical.problem}.`, remedy: `${logical.remedy}.` })
  const params = yield* decodeParams(job, request.params)
  const folder = yield* openStateFolder(request.state)
  const run = `${plan.job}-${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")}-${yield* suffix}`
  const options: Omit<RunOptions, "onProgress" | "command"> = {
    job,
    plan,
    codeVersion,
    folder,
    params,
    date: logical.date,
    measuredPerMinute: yield* measuredThroughput(folder, plan.job),
    start: {
      run,
      job: plan.job,
      owner: plan.owner,
      purpose: plan.purpose,
      classification: plan.classification,
      consumers: plan.consumers,
      logicalTime: logical.logicalTime,
      interval: logical.interval,
      itemLimit: request.itemLimit,
      planDigest: plan.digest,
      plan: canonicalJson(plan),
      budgetUsd: plan.budgetUsd,
      estimateUsd: estimateUsd(plan),
      jobModule: module,
      params: canonicalJson(job.options.params === undefined ? {} : Schema.encodeSync(Schema.toCodecJson(job.options.params))(params))
    }
  }
  return options
})

/** Compiles, and holds the schedule against the calendar, which the DSL can't. */
export const planOf = Effect.fn("Cli.planOf")(function* (job: Job): Effect.fn.Return<Plan, PlanError> {
  const faults = job.options.schedule === undefined ? [] : checkSchedule({ ...job.options.schedule, withinMs: 1 })
  const plan = yield* Effect.mapError(compileJob(job), (error) => new PlanError(error.job, [...error.faults, ...faults]))
  if (faults.length > 0) return yield* Effect.fail(new PlanError(job.name, faults))
  return plan
})

/** Values come as text: as such first, then as JSON, so that `--param count=5` fits a number. */
export const decodeParams = Effect.fnUntraced(function* (job: Job, texts: Readonly<Record<string, string>>) {
  const schema = job.options.params
  if (schema === undefined) {
    const [name] = Object.keys(texts)
    return name === undefined ? {} : yield* new Misuse({ problem: `Job "${job.name}" takes no parameters, so --param ${name} means nothing to it.`, remedy: "Drop it, or declare `params` in the job." })
  }
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(schema), { errors: "all" })
  const asJson = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, jsonOrText(text)]))
  return yield* decode(texts).pipe(
    Effect.catch(() => decode(asJson)),
    Effect.mapError((error) => new Misuse({ problem: `The parameters don't fit job "${job.name}": ${error.message.replaceAll("\n", " ")}.`, remedy: "Set each with --param name=value." }))
  )
})

const jsonOrText = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Four characters that are hard to confuse: two runs of one second differ. */
const suffix = Effect.map(Random.nextIntBetween(0, 32 ** 4), (number) => {
  const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
  return [0, 1, 2, 3].map((place) => alphabet[Math.floor(number / 32 ** place) % 32]).join("")
})
