import { spawnSync } from "node:child_process"
import { join as joinPath } from "node:path"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  anthropic,
  canonicalJson,
  compile,
  count,
  countBy,
  cron,
  deadLetter,
  definitionOf,
  flag,
  infer,
  isTerminal,
  job,
  join,
  jsonl,
  local,
  mean,
  modelSteps,
  modelVersion,
  partition,
  promptDigest,
  report,
  review,
  stepsInOrder,
  sum,
  system,
  toCsv,
  usd,
  user,
  validate,
  type Export,
  type InferDefinition,
  type Job,
  type Model,
  type Step
} from "../../dsl/index.ts"
import everyStep from "./fixtures/every-step.ts"

const Mail = Schema.Struct({ id: Schema.String, kind: Schema.Literals(["letter", "form"]), body: Schema.String })
const Out = Schema.Struct({ topic: Schema.Literals(["spam", "list"]), sure: Schema.Finite })
const bayes = local("bayes", () => ({ topic: "spam", sure: 1 }))
const haiku = anthropic("claude-haiku-4-5", { account: "desk" })

/** What may differ between two jobs that are alike otherwise. */
interface Variant {
  readonly name?: string
  readonly owner?: string
  readonly budget?: number
  readonly within?: "6 hours" | "360 minutes" | "7 hours"
  readonly retention?: "30 days"
  readonly consumers?: ReadonlyArray<string>
  readonly release?: { readonly exports?: ReadonlyArray<Export> }
  readonly path?: string | (() => string)
  readonly schema?: typeof Mail | Schema.Struct<(typeof Mail)["fields"] & { readonly cc: Schema.String }>
  readonly key?: (mail: typeof Mail.Type) => string
  readonly weight?: (mail: typeof Mail.Type) => number
  readonly model?: Model
  readonly prompt?: (mail: typeof Mail.Type) => readonly [ReturnType<typeof user>]
  readonly output?: typeof Out | Schema.Struct<(typeof Out)["fields"] & { readonly why: Schema.String }>
  readonly confidence?: (output: typeof Out.Type) => number
  readonly confidenceMin?: number
  readonly maxTokens?: number
  readonly temperature?: number
  readonly reuse?: boolean
  readonly pass?: (answer: { readonly output: typeof Out.Type }) => boolean
  readonly orElse?: typeof review
  readonly by?: (answer: { readonly output: typeof Out.Type }) => string
  readonly text?: () => string
}

const jobOf = (variant: Variant = {}): Job => {
  const {
    name = "mails",
    owner = "desk",
    budget = 1,
    within = "6 hours",
    retention,
    consumers = ["crm", "ticketing"],
    path = "inbox/*.jsonl",
    release
  } = variant
  const {
    schema = Mail,
    key = (mail) => mail.id,
    weight = (mail) => mail.body.length,
    model = bayes,
    output = Out,
    maxTokens = 9
  } = variant
  const {
    prompt = (mail) => [user`Name the topic of ${mail.body}`] as const,
    confidence = (answer) => answer.sure,
    confidenceMin,
    temperature = 0,
    reuse = true
  } = variant
  const {
    pass = (answer) => answer.output.sure > 0.5,
    orElse = review,
    by = (answer) => answer.output.topic,
    text = () => "done"
  } = variant
  const mails = jsonl(path, { schema: schema as typeof Mail, key })
  const balanced = partition(mails, { weight })
  const triage = infer(balanced, {
    model,
    prompt,
    output: output as typeof Out,
    confidence,
    maxTokens,
    temperature,
    reuse,
    ...(confidenceMin === undefined ? {} : { confidenceMin })
  })
  const trusted = validate(triage, { sure: { pass, orElse } })
  const mix = aggregate(trusted, { byTopic: countBy(by), total: count })
  return job(name, {
    owner,
    purpose: "test",
    classification: "internal",
    consumers,
    budget: usd(budget),
    schedule: cron("0 1 * * *", { timeZone: "UTC", within }),
    ...(retention === undefined ? {} : { retention }),
    ...(release === undefined ? {} : { release }),
    steps: { mails, balanced, triage, trusted, mix, morning: report(mix, text) }
  })
}
const digestOf = (variant?: Variant): string => compile(jobOf(variant)).digest

describe("the plan of a job with every kind of step", () => {
  const printed = spawnSync(process.execPath, [joinPath(import.meta.dirname, "fixtures/print-plan.ts")], { encoding: "utf8" })

  it("[CRD-2] is the golden one, digests included, as Node makes it of the module", async () => {
    expect(printed.stderr.replaceAll(/^.*(ExperimentalWarning|--trace-warnings).*$/gm, "").trim()).toBe("")
    await expect(printed.stdout).toMatchFileSnapshot("golden/every-step.json")
  })

  it("[CRD-2] is data: nothing is lost between it and its JSON", () => {
    const plan = compile(everyStep)
    expect(JSON.parse(JSON.stringify(plan))).toStrictEqual(plan)
    expect(Object.keys(JSON.parse(canonicalJson(plan)))).toEqual(Object.keys(plan).toSorted())
  })

  it("[CRD-2] has every step once, after the steps it reads", () => {
    const { steps } = compile(everyStep)
    const names = steps.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const [index, { reads }] of steps.entries()) for (const read of reads) expect(names.slice(0, index)).toContain(read)
    expect(names).toEqual(stepsInOrder(everyStep).map((step) => everyStep.names.get(step)))
  })

  it("[CRD-2] keeps the author's order where the reads leave a choice", () => {
    const { mails, byKind, triage, mood } = everyStep.steps
    const about = {
      owner: "desk",
      purpose: "test",
      classification: "internal",
      budget: usd(1),
      params: everyStep.options.params as typeof Out
    } as const
    const orderOf = (reordered: Job): ReadonlyArray<string> => compile(reordered).steps.map(({ name }) => name)
    const early = job("a", { ...about, steps: { mails, byKind, triage, mood } } as never) as Job
    const late = job("a", { ...about, steps: { mood, triage, byKind, mails } } as never) as Job
    expect(orderOf(early)).toEqual(["mails", "byKind", "triage", "mood_when", "mood"])
    expect(orderOf(late)).toEqual(["mails", "byKind", "mood_when", "mood", "triage"])
  })

  it("[CRD-2] marks as terminal each step that hands its rows to no other, whatever aggregates read", () => {
    const terminal = compile(everyStep).steps.filter((step) => step.terminal)
    expect(terminal.map(({ name }) => name)).toEqual(["trusted", "polite"])
    const { mails, byKind, mood, trusted, mix, morning } = everyStep.steps
    expect([mails, byKind, mood, trusted, mix, morning].map((step: Step) => isTerminal(everyStep, step))).toEqual([
      false,
      false,
      false,
      true,
      false,
      false
    ])
  })

  it("[EXE-10] gives each model of a cascade a checkpointed step, and a single model the infer's own", () => {
    const of = (step: string) =>
      compile(everyStep).steps.flatMap((planned) =>
        planned.kind === "infer" && planned.name === step ? planned.models.map((model) => model.step) : []
      )
    expect(of("triage")).toEqual(["triage_1_bayes", "triage_2_claude_haiku_4_5"])
    expect(of("mood")).toEqual(["mood"])
    expect(modelSteps("x", [haiku, { ...haiku, name: "a/b c" }])).toEqual(["x_1_claude_haiku_4_5", "x_2_a_b_c"])
    expect(modelSteps("x", [haiku])).toEqual(["x"])
  })
})

const changing: ReadonlyArray<readonly [string, Variant]> = [
  ["the job's name", { name: "letters" }],
  ["the owner", { owner: "sales" }],
  ["the budget", { budget: 2 }],
  ["the deadline", { within: "7 hours" }],
  ["the retention", { retention: "30 days" }],
  ["a consumer", { consumers: ["crm"] }],
  ["an export", { release: { exports: [toCsv("out")] } }],
  ["the source's path", { path: "outbox/*.jsonl" }],
  ["the source's function", { path: () => "inbox/*.jsonl" }],
  ["a field of the item", { schema: Schema.Struct({ ...Mail.fields, cc: Schema.String }) }],
  ["the key", { key: (mail) => `${mail.id}-${mail.kind}` }],
  ["the weight", { weight: (mail) => mail.body.length + 1 }],
  ["a literal of the prompt", { prompt: (mail) => [user`Say the topic of ${mail.body}`] }],
  ["what the prompt shows", { prompt: (mail) => [user`Name the topic of ${mail.kind}`] }],
  ["the role of a message", { prompt: (mail) => [system`Name the topic of ${mail.body}`] }],
  ["a field of the output", { output: Schema.Struct({ ...Out.fields, why: Schema.String }) }],
  ["the least confidence", { confidenceMin: 0.7 }],
  ["the confidence", { confidence: (answer) => answer.sure / 2 }],
  ["the model", { model: haiku }],
  ["an embedded model's source text", { model: local("bayes", () => ({ topic: "list", sure: 1 })) }],
  ["an embedded model's version", { model: local("bayes", () => ({ topic: "spam", sure: 1 }), { version: "2" }) }],
  ["maxTokens", { maxTokens: 10 }],
  ["the temperature", { temperature: 1 }],
  ["reuse", { reuse: false }],
  ["a rule", { pass: (answer) => answer.output.sure > 0.6 }],
  ["a verdict", { orElse: deadLetter }],
  ["a reducer's callback", { by: (answer) => `${answer.output.topic}!` }],
  ["the report", { text: () => "finished" }],
  // Source text is what is digested, so a new name within a callback counts, though it means the same.
  ["a local name within a callback", { prompt: (letter) => [user`Name the topic of ${letter.body}`] }]
]

const keeping: ReadonlyArray<readonly [string, Variant]> = [
  ["nothing", {}],
  ["the same span of time in other words", { within: "360 minutes" }],
  ["a release without exports", { release: {} }],
  ["the order of consumers", { consumers: ["ticketing", "crm"] }]
]

describe("a plan's digest", () => {
  it.each(changing)("[CRD-2] changes with %s", (_, variant) => {
    expect(digestOf(variant)).not.toBe(digestOf())
  })

  it.each(keeping)("[CRD-2] does not change with %s", (_, variant) => {
    expect(digestOf(variant)).toBe(digestOf())
  })

  const { mails, byKind, triage, mood } = everyStep.steps
  const params = everyStep.options.params as typeof Out
  const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1), params } as const
  const planned = (steps: Readonly<Record<string, Step>>): string => compile(job("a", { ...about, steps } as never) as Job).digest
  const prompt = () => [user`hello`] as const
  const byLabel = { letter: { prompt: () => [user`a`] as const }, form: { prompt: () => [user`b`] as const } }
  const overridden = (overrides: typeof byLabel) => planned({ a: infer(byKind, { model: bayes, output: Out, prompt, overrides }) })
  const rules = { long: { pass: () => true, orElse: flag }, short: { pass: () => false, orElse: review } }

  it("[CRD-2] does not change with the order in which steps, branches, labels, reducers and the job's fields are written", () => {
    expect(planned({ mood, triage, byKind, mails })).toBe(planned({ mails, byKind, triage, mood }))
    expect(planned({ both: join({ mood, triage }) })).toBe(planned({ both: join({ triage, mood }) }))
    expect(overridden({ form: byLabel.form, letter: byLabel.letter })).toBe(overridden(byLabel))
    const confidence = mean(({ output }: { readonly output: { readonly confidence: number } }) => output.confidence)
    expect(planned({ a: aggregate(triage, { count, confidence }) })).toBe(planned({ a: aggregate(triage, { confidence, count }) }))
    const { options, ...rest } = everyStep
    const turned = Object.fromEntries(Object.entries(options).toReversed()) as unknown as typeof options
    expect(compile({ ...rest, options: turned }).digest).toBe(compile(everyStep).digest)
  })

  it("[CRD-2] changes with the order of rules, which decides which one names the reason", () => {
    const { long, short } = rules
    expect(planned({ a: validate(triage, { long, short }) })).not.toBe(planned({ a: validate(triage, { short, long }) }))
  })

  it("[CRD-2] changes with the kind of a reducer, though its callback stays", () => {
    const read = ({ output }: { readonly output: { readonly confidence: number } }) => output.confidence
    expect(planned({ a: aggregate(triage, { a: sum(read) }) })).not.toBe(planned({ a: aggregate(triage, { a: mean(read) }) }))
  })

  it("[CRD-2] changes with the name of a step, for its table is another", () => {
    expect(planned({ triage, mood })).not.toBe(planned({ topics: triage, mood }))
  })

  it("[CRD-2] can't see the value of a constant that a callback only names: the code version does", () => {
    const made = (threshold: number) => digestOf({ pass: (answer) => answer.output.sure > threshold })
    expect(made(0.1)).toBe(made(0.9))
  })

  it("[CRD-2] can't see into a callback that Effect.fn or bind made: the code version does", () => {
    const fn = (text: string) =>
      String(
        Effect.fn("prompt")(function* () {
          return yield* Effect.succeed(text)
        })
      )
    expect(fn("a")).toBe(fn("b"))
    expect(String(definitionOf.bind(null))).toContain("[native code]")
  })
})

describe("versions", () => {
  const definition = definitionOf(everyStep.steps.triage) as InferDefinition

  it("[CRD-2] a prompt's digest is of its callback's source text and the output schema, nothing else", () => {
    expect(promptDigest(definition)).toBe(promptDigest({ ...definition, maxTokens: 1, temperature: 2, models: [haiku] }))
    expect(promptDigest(definition)).not.toBe(promptDigest({ ...definition, output: Out }))
    expect(promptDigest(definition)).not.toBe(promptDigest(definition, definition.overrides["form"]?.prompt))
  })

  it("[CRD-2] an embedded model's version is what it declares, or else its source text; a provider's is not known here", () => {
    expect(modelVersion(local("a", () => 1, { version: "2026-11" }))).toBe("2026-11")
    expect(modelVersion(local("a", () => 1))).toMatch(/^fn-[0-9a-f]{12}$/)
    expect(modelVersion(local("a", () => 1))).toBe(modelVersion(local("b", () => 1)))
    expect(modelVersion(local("a", () => 1))).not.toBe(modelVersion(local("a", () => 2)))
    expect(modelVersion(haiku)).toBeNull()
  })
})
