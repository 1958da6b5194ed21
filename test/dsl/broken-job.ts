/** Jobs with faults that types would refuse, or can't see, and the faults that compiling finds in them. */
import * as Schema from "effect/Schema"

import {
  compile,
  infer,
  job,
  jsonl,
  local,
  openai,
  partition,
  PlanError,
  usd,
  user,
  type Job,
  type PlanFault,
  type Step
} from "../../dsl/index.ts"

export const Mail = Schema.Struct({ id: Schema.String, kind: Schema.Literals(["letter", "form"]), body: Schema.String })
export type Mail = typeof Mail.Type
export const Out = Schema.Struct({ topic: Schema.String })
export const bayes = local("bayes", () => ({ topic: "spam" }))
export const gpt = openai("gpt-5-mini", { account: "desk" })
export const options = { schema: Mail, key: (mail: Mail) => mail.id }
export const prompt = () => [user`hello`] as const

export const mails = jsonl("inbox/*.jsonl", options)
export const hashed = partition(mails)
export const byKind = partition(mails, { by: (mail) => mail.kind })
export const triage = infer(hashed, { model: bayes, output: Out, prompt })
export const mood = infer(hashed, { model: bayes, output: Out, prompt })
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const

/** A job of these steps; what its types would refuse is cast away, as a module in plain JavaScript would have it. */
export const jobOf = (steps: Readonly<Record<string, unknown>>, changed: object = {}, name = "mails"): Job =>
  job(name, { ...about, ...changed, steps: steps as Readonly<Record<string, Step>> } as never) as Job
export const asking = (changed: object, rows: Step = hashed): Job =>
  jobOf({ asked: infer(rows as never, { model: bayes, output: Out, prompt, ...changed } as never) })
export const reading = (source: Step): Job =>
  jobOf({ source, asked: infer(partition(source as never), { model: bayes, output: Out, prompt }) })

export const faultsOf = (of: Job): ReadonlyArray<PlanFault> => {
  try {
    compile(of)
    return []
  } catch (error) {
    if (error instanceof PlanError) return error.faults
    throw error
  }
}

/** What is wrong, a job that has just this, the step and the problem that are named, and the same job without it. */
export type Case = readonly [what: string, broken: Job, step: string, problem: string, control: Job]
