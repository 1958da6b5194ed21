import { describe, expect, it } from "vitest"

import { anthropic, classifications, compile, infer, local, openai, type Classification, type Job, type Model } from "../../dsl/index.ts"
import { bayes, byKind, faultsOf, hashed, jobOf, Out, prompt } from "./broken-job.ts"

const account = "desk"
const asks = (model: unknown, about: object, more: object = {}): Job =>
  jobOf({ asked: infer(byKind as never, { model, output: Out, prompt, maxTokens: 9, ...more } as never) }, about)
const problemsOf = (job: Job): ReadonlyArray<string> => faultsOf(job).map(({ step, problem }) => `${step}: ${problem}`)
const gpt = (over: object = {}): Model => openai("gpt-5-mini", { account, ...over })
const claude = (over: object = {}): Model => anthropic("claude-haiku-4-5", { account, ...over })
const elsewhere = { region: "us-east-1" }

describe("a job's classification", () => {
  it("[SEC-4] takes only models that are approved for it or for more; one that says nothing is approved for internal data", () => {
    for (const classification of classifications) {
      for (const approvedFor of [...classifications, undefined]) {
        const rank = classifications.indexOf(approvedFor ?? "internal")
        const problems = problemsOf(asks(gpt(approvedFor === undefined ? {} : { approvedFor }), { classification }))
        expect(problems, `${classification} data to a model for ${approvedFor}`).toEqual(
          rank >= classifications.indexOf(classification)
            ? []
            : [`asked: the job's data is ${classification}, and model gpt-5-mini is approved for ${approvedFor ?? "internal"} data`]
        )
      }
    }
  })

  it("[SEC-4] lets an embedded model have everything: data doesn't leave the process", () => {
    expect(problemsOf(asks(bayes, { classification: "restricted", regions: ["eu"] }))).toEqual([])
  })

  it("[SEC-4] binds every model of a cascade and every override", () => {
    const classification = "confidential" satisfies Classification
    expect(problemsOf(asks([bayes, gpt(), claude({ approvedFor: "restricted" })], { classification }, { accept: () => true }))).toEqual([
      "asked: the job's data is confidential, and model gpt-5-mini is approved for internal data"
    ])
    expect(problemsOf(asks(bayes, { classification }, { overrides: { form: { model: claude() } } }))).toEqual([
      "asked: the job's data is confidential, and model claude-haiku-4-5 is approved for internal data"
    ])
  })

  it("[SEC-4] binds a step that isn't listed, and a word that isn't a classification is approved for nothing", () => {
    const hidden = infer(hashed, { model: gpt(), output: Out, prompt, maxTokens: 9 })
    const behind = infer(hidden, { model: local("rules", () => ({ topic: "spam" })), output: Out, prompt })
    expect(problemsOf(jobOf({ behind }, { classification: "restricted" }))).toHaveLength(1)
    expect(problemsOf(asks(gpt({ approvedFor: "everything" }), { classification: "public" }))).toHaveLength(1)
    expect(problemsOf(asks(gpt({ approvedFor: "restricted" }), { classification: "secret" }))).toHaveLength(1)
  })

  it("[SEC-4] tells what to do about it", () => {
    const [fault] = faultsOf(asks(gpt(), { classification: "restricted" }))
    expect(fault?.remedy).toBe('ask a model that is approved for it, or, once it is, write approvedFor: "restricted" on this one')
  })
})

describe("a job's regions", () => {
  it("[SEC-4] take only models that run in one of them and say so", () => {
    const regions = ["eu", "eu-north-1"]
    expect(problemsOf(asks(gpt({ region: "eu" }), { regions }))).toEqual([])
    expect(problemsOf(asks(gpt({ region: "eu-north-1" }), { regions }))).toEqual([])
    expect(problemsOf(asks(gpt(elsewhere), { regions }))).toEqual([
      "asked: the job's data stays in eu, eu-north-1, and model gpt-5-mini runs in us-east-1"
    ])
    expect(problemsOf(asks(gpt(), { regions }))).toEqual([
      "asked: the job's data stays in eu, eu-north-1, and model gpt-5-mini doesn't say where it runs"
    ])
    expect(problemsOf(asks([bayes, gpt(elsewhere), claude()], { regions }, { accept: () => true }))).toHaveLength(2)
    expect(problemsOf(asks(bayes, { regions }, { overrides: { form: { model: gpt(elsewhere) } } }))).toHaveLength(1)
  })

  it("[SEC-4] of a job that names none are all regions, and an empty list is a fault", () => {
    expect(problemsOf(asks(gpt(elsewhere), {}))).toEqual([])
    expect(problemsOf(asks(bayes, { regions: [] }))).toEqual(["job: the regions name nothing"])
    expect(problemsOf(asks(bayes, { regions: [" "] }))).toEqual(["job: the regions name nothing"])
  })

  it("[SEC-4] stand in the plan, whatever order they were written in; a job without them has the plan it always had", () => {
    const plans = [
      ["b", "a"],
      ["a", "b"]
    ].map((regions) => compile(asks(bayes, { regions })))
    expect(plans[0]?.regions).toEqual(["a", "b"])
    expect(plans[0]?.digest).toBe(plans[1]?.digest)
    const without = compile(asks(bayes, {}))
    expect("regions" in without).toBe(false)
    expect(without.digest).not.toBe(plans[0]?.digest)
  })
})
