import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  compile,
  count,
  csv,
  deadLetter,
  flag,
  infer,
  job,
  join,
  jsonl,
  local,
  openai,
  partition,
  PlanError,
  retry,
  review,
  sql,
  usd,
  user,
  validate,
  when,
  cron,
  type Job,
  type PlanFault,
  type Step
} from "../../dsl/index.ts"
import everyStep from "./fixtures/every-step.ts"

const Mail = Schema.Struct({ id: Schema.String, kind: Schema.Literals(["letter", "form"]), body: Schema.String })
type Mail = typeof Mail.Type
const Out = Schema.Struct({ topic: Schema.String })
const bayes = local("bayes", () => ({ topic: "spam" }))
const gpt = openai("gpt-5-mini", { account: "desk" })
const options = { schema: Mail, key: (mail: Mail) => mail.id }
const prompt = () => [user`hello`] as const

const mails = jsonl("inbox/*.jsonl", options)
const hashed = partition(mails)
const byKind = partition(mails, { by: (mail) => mail.kind })
const triage = infer(hashed, { model: bayes, output: Out, prompt })
const mood = infer(hashed, { model: bayes, output: Out, prompt })
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const

/** A job of these steps; what its types would refuse is cast away, as a module in plain JavaScript would have it. */
const jobOf = (steps: Readonly<Record<string, unknown>>, changed: object = {}, name = "mails"): Job =>
  job(name, { ...about, ...changed, steps: steps as Readonly<Record<string, Step>> } as never) as Job
const asking = (changed: object, rows: Step = hashed): Job =>
  jobOf({ asked: infer(rows as never, { model: bayes, output: Out, prompt, ...changed } as never) })
const reading = (source: Step): Job => jobOf({ source, asked: infer(partition(source as never), { model: bayes, output: Out, prompt }) })
const splitting = (changed: object): Job =>
  jobOf({ split: partition(mails, changed), triage: infer(partition(mails, changed), { model: bayes, output: Out, prompt }) })

const faultsOf = (of: Job): ReadonlyArray<PlanFault> => {
  try {
    compile(of)
    return []
  } catch (error) {
    if (error instanceof PlanError) return error.faults
    throw error
  }
}

/** What is wrong, a job that has just this, the step and the problem that are named, and the same job without it. */
type Case = readonly [what: string, broken: Job, step: string, problem: string, control: Job]

const right = jobOf({ mails, hashed, triage })
const declarations: ReadonlyArray<Case> = [
  ["a job's name with capitals", jobOf({ triage }, {}, "Mail Triage"), "job", '"Mail Triage" is no name for a job', right],
  ["no owner", jobOf({ triage }, { owner: " " }), "job", "the owner is empty", right],
  ["no purpose", jobOf({ triage }, { purpose: "" }), "job", "the purpose is empty", right],
  [
    "a budget that isn't finite",
    jobOf({ triage }, { budget: usd(Number.NaN) }),
    "job",
    "the budget is NaN US dollars",
    jobOf({ triage }, { budget: usd(0) })
  ],
  ["a negative budget", jobOf({ triage }, { budget: usd(-1) }), "job", "the budget is -1 US dollars", right],
  [
    "a retention of nothing",
    jobOf({ triage }, { retention: 0n }),
    "job",
    "retention is 0, not a span of time",
    jobOf({ triage }, { retention: 1n })
  ],
  [
    "a retention without end",
    jobOf({ triage }, { retention: "Infinity" }),
    "job",
    'retention is "Infinity", not a span of time',
    jobOf({ triage }, { retention: "30 days" })
  ],
  [
    "a deadline that isn't a span of time",
    jobOf({ triage }, { schedule: cron("0 1 * * *", { timeZone: "UTC", within: "6 ours" as "6 hours" }) }),
    "job",
    `the schedule's within is "6 ours", not a span of time`,
    jobOf({ triage }, { schedule: cron("0 1 * * *", { timeZone: "UTC", within: "6 hours" }) })
  ],
  [
    "params that aren't an object",
    jobOf({ triage }, { params: Schema.String }),
    "job",
    "params is not an object",
    jobOf({ triage }, { params: Out })
  ],
  [
    "a consumer twice",
    jobOf({ triage }, { consumers: ["crm", "crm"] }),
    "job",
    "a consumer is named twice",
    jobOf({ triage }, { consumers: ["crm"] })
  ]
]

const cascade = infer(hashed, { model: [bayes, gpt], accept: () => true, output: Out, prompt, maxTokens: 9 })
const behindWhen = infer(
  when(hashed, () => true),
  { model: bayes, output: Out, prompt }
)
const long = "x".repeat(64)
const names: ReadonlyArray<Case> = [
  ["a step listed twice", jobOf({ a: triage, b: triage }), "a", "is the step that is also listed as b", jobOf({ a: triage, b: mood })],
  ["a step's name with a hyphen", jobOf({ "my-step": triage }), "my-step", "is no name for a step", jobOf({ my_step: triage })],
  [
    "a step's name of 64 characters",
    jobOf({ [long]: triage, hashed, mails }),
    long,
    "is no name for a step",
    jobOf({ [long.slice(1)]: triage, hashed, mails })
  ],
  [
    "two names that differ in case",
    jobOf({ triage, Triage: mood }),
    "Triage",
    "differs from triage only in case, and tables don't",
    jobOf({ triage, mood })
  ],
  [
    "a name that an unlisted step also gets",
    jobOf({ a_when: triage, a: behindWhen }),
    "a_when",
    "is the name of two steps",
    jobOf({ b: triage, a: behindWhen })
  ],
  [
    "a name that a model of a cascade also gets",
    jobOf({ a: cascade, a_1_bayes: triage }),
    "a_1_bayes",
    "is the name of two steps",
    jobOf({ a: cascade, triage })
  ]
]

const others = jsonl("other/*.jsonl", options)
const shapes: ReadonlyArray<Case> = [
  ["two sources", jobOf({ triage, others }), "job", "it has 2 sources", right],
  [
    "two partition steps",
    jobOf({ triage, again: infer(byKind, { model: bayes, output: Out, prompt }) }),
    "job",
    "it has 2 partition steps",
    right
  ],
  ["no infer", jobOf({ mails, hashed }), "job", "it has no infer step", right]
]

const nested = (field: string) => Schema.Struct({ place: Schema.Struct({ city: Schema.String }), [field]: Schema.String })
const sources: ReadonlyArray<Case> = [
  [
    "a schema that isn't an object",
    reading(jsonl("a", { schema: Schema.Array(Mail), key: () => "" } as never)),
    "source",
    "the schema is not an object",
    reading(mails)
  ],
  [
    "a schema of structs and text",
    reading(jsonl("a", { schema: Schema.Union([Mail, Schema.String]), key: () => "" } as never)),
    "source",
    "the schema is not an object",
    reading(jsonl("a", { schema: Schema.Union([Mail, Out]), key: () => "" }))
  ],
  [
    "two fields that become one column",
    reading(jsonl("a", { schema: nested("place_city"), key: () => "" })),
    "source",
    'two fields become the column "place_city"',
    reading(jsonl("a", { schema: nested("city"), key: () => "" }))
  ],
  [
    "two fields that differ in case",
    reading(jsonl("a", { schema: Schema.Struct({ Id: Schema.String, id: Schema.String }), key: () => "" })),
    "source",
    'two fields become the column "id"',
    reading(jsonl("a", { schema: Schema.Struct({ item_key: Schema.String }), key: () => "" }))
  ],
  ["no path", reading(jsonl([], options)), "source", "it reads nothing: the path or query is empty", reading(jsonl(["a"], options))],
  ["an empty query", reading(sql(" ", options)), "source", "it reads nothing: the path or query is empty", reading(sql(() => "", options))]
]

const size = (mail: Mail) => mail.body.length
const tiered = (...tiers: ReadonlyArray<{ readonly name: string; readonly upTo?: number }>): Job => {
  const split = partition(mails, { tiers: { size, tiers } })
  return jobOf({ split, triage: infer(split, { model: bayes, output: Out, prompt }) })
}
const partitioned = (changed: object): Job => {
  const split = partition(mails, changed)
  return jobOf({ split, triage: infer(split, { model: bayes, output: Out, prompt }) })
}
const rightTiers = tiered({ name: "short", upTo: 9 }, { name: "long" })
const partitions: ReadonlyArray<Case> = [
  [
    "two strategies",
    partitioned({ by: () => "a", weight: () => 1 }),
    "split",
    "has by and weight: one strategy splits the items",
    partitioned({ weight: () => 1 })
  ],
  ["itemsMax of 0", partitioned({ itemsMax: 0 }), "split", "itemsMax is 0", partitioned({ itemsMax: 1 })],
  ["itemsMax of half an item", partitioned({ itemsMax: 1.5 }), "split", "itemsMax is 1.5", partitioned({ itemsMax: 2 })],
  [
    "tiers out of order",
    tiered({ name: "a", upTo: 9 }, { name: "b", upTo: 5 }, { name: "c" }),
    "split",
    "the tiers don't ascend",
    rightTiers
  ],
  ["tiers with a top", tiered({ name: "a", upTo: 9 }), "split", "an item may be too large for every tier", rightTiers],
  ["no tiers", tiered(), "split", "an item may be too large for every tier", tiered({ name: "all" })],
  ["tiers of one name", tiered({ name: "a", upTo: 9 }, { name: "a" }), "split", "the tiers are named a, a", rightTiers]
]

const infers: ReadonlyArray<Case> = [
  ["an output that isn't an object", asking({ output: Schema.String }), "asked", "the output is not an object", asking({})],
  ["an output with an empty struct for a row", asking({ output: Schema.Struct({}) }), "asked", "the output is not an object", asking({})],
  [
    "two output fields that become one column",
    asking({ output: nested("place_city") }),
    "asked",
    'two fields become the column "place_city"',
    asking({ output: nested("city") })
  ],
  [
    "an output field that takes the key's column",
    asking({ output: Schema.Struct({ item_key: Schema.String }) }),
    "asked",
    'a field becomes the column "item_key", which holds the item\'s key',
    asking({ output: Schema.Struct({ key: Schema.String }) })
  ],
  ["maxTokens of 0", asking({ maxTokens: 0 }), "asked", "maxTokens is 0", asking({ maxTokens: 1 })],
  [
    "a priced model without maxTokens",
    asking({ model: gpt }),
    "asked",
    "maxTokens is missing, so an answer of gpt-5-mini has no upper price",
    asking({ model: gpt, maxTokens: 9 })
  ],
  [
    "an override's priced model without maxTokens",
    asking({ overrides: { form: { model: gpt } } }, byKind),
    "asked",
    "maxTokens is missing, so an answer of gpt-5-mini has no upper price",
    asking({ overrides: { form: { model: gpt } }, maxTokens: 9 }, byKind)
  ],
  ["a temperature over 2", asking({ temperature: 2.5 }), "asked", "temperature is 2.5", asking({ temperature: 2 })],
  ["a temperature that is no number", asking({ temperature: Number.NaN }), "asked", "temperature is NaN", asking({ temperature: 0 })],
  ["no model", asking({ model: [] }), "asked", "has no model", asking({})],
  [
    "a cascade of one model twice",
    asking({ model: [bayes, bayes], accept: () => true }),
    "asked",
    "the cascade names bayes, bayes",
    asking({ model: [bayes, local("rules", () => 1)], accept: () => true })
  ],
  [
    "one model for a label where the step has a cascade",
    asking({ model: [bayes, gpt], accept: () => true, maxTokens: 9, overrides: { form: { model: gpt } } }, byKind),
    "asked",
    'the override of "form" names one model where the step has a cascade',
    asking({ model: [bayes, gpt], accept: () => true, maxTokens: 9, overrides: { form: { prompt } } }, byKind)
  ],
  ["a model without a name", asking({ model: local(" ", () => 1) }), "asked", "a model has no name", asking({})],
  [
    "a model without an account",
    asking({ model: openai("gpt-5-mini", { account: "" }), maxTokens: 9 }),
    "asked",
    "model gpt-5-mini names no account",
    asking({ model: gpt, maxTokens: 9 })
  ],
  [
    "an embedded model in batches",
    asking({ model: { ...bayes, tier: "batch" } }),
    "asked",
    "the embedded model bayes has no batch tier",
    asking({})
  ],
  [
    "a model of no throughput",
    asking({ model: local("bayes", () => 1, { itemsPerMinute: 0 }) }),
    "asked",
    "model bayes gets through 0 items a minute",
    asking({ model: local("bayes", () => 1, { itemsPerMinute: 0.5 }) })
  ]
]

const both = join({ triage, mood })
const ruled = (rules: object, rows: Step = triage): Job => jobOf({ ruled: validate(rows as never, rules) })
const again = (attemptsMax: number) => ({ again: { pass: () => true, orElse: retry({ attemptsMax }) } })
const renamed = Schema.Struct({ id: Schema.String, kind: Schema.String }).pipe(Schema.encodeKeys({ kind: "Kind of mail" }))
const counted = (schema: Schema.Codec<{ readonly id: string; readonly kind: string }, any>, how: object): Job => {
  const answers = infer(partition(csv("a.csv", { schema, key: ({ id }) => id })), { model: bayes, output: Out, prompt })
  return jobOf({ counted: aggregate(answers, how as never) })
}
const query = (db: { readonly selectFrom: (table: "rows") => unknown }) => db.selectFrom("rows")
const rest: ReadonlyArray<Case> = [
  ["no rules", ruled({}), "ruled", "has no rules", ruled({ a: { pass: () => true, orElse: flag } })],
  ["a retry that never asks again", ruled(again(1)), "ruled", 'rule "again" retries with attemptsMax 1', ruled(again(2))],
  [
    "a retry of what a join gave",
    ruled(
      again(2),
      when(both, () => true)
    ),
    "ruled",
    'rule "again" retries, and a join has no one model to ask again',
    ruled({ a: { pass: () => true, orElse: review } }, both)
  ],
  ["a join of one branch", jobOf({ one: join({ triage }) }), "one", "joins fewer than two branches", jobOf({ both })],
  [
    "an aggregate of nothing",
    jobOf({ none: aggregate(triage, {}) }),
    "none",
    "aggregates nothing",
    jobOf({ one: aggregate(triage, { count }) })
  ],
  [
    "a query over a field that is stored under another name",
    counted(renamed, query),
    "counted",
    'the query may name the column "kind", and its schema stores that field under another name or within a text',
    counted(renamed, { count })
  ],
  [
    "a query over a struct that is stored as a text",
    jobOf({
      counted: aggregate(infer(hashed, { model: bayes, output: Schema.Struct({ at: Schema.fromJsonString(Out) }), prompt }), query as never)
    }),
    "counted",
    'the query may name the column "at_topic", and its schema stores that field under another name or within a text',
    jobOf({ counted: aggregate(triage, query as never) })
  ]
]

describe("a job with one fault", () => {
  it.each([...declarations, ...names, ...shapes, ...sources, ...partitions, ...infers, ...rest])(
    "[CRD-2] %s is reported with its step, the problem and a remedy",
    (_, broken, step, problem, control) => {
      const faults = faultsOf(broken)
      expect(faults).toEqual([{ step, problem, remedy: expect.stringMatching(/^[^.]{8,}$/) }])
      expect(faultsOf(control)).toEqual([])
    }
  )

  it("[CRD-2] a field that JSON can't hold is reported in the schema's own words", () => {
    const odd = Schema.declare((value: unknown): value is URL => value instanceof URL, {
      toCodecJson: () => {
        throw new Error("no JSON for it\n at line 3")
      }
    })
    const [fault] = faultsOf(asking({ output: Schema.Struct({ odd }) }))
    expect(fault).toEqual({
      step: "asked",
      problem: "the output has no JSON form: no JSON for it",
      remedy: "use fields that JSON can hold, or add a codec to the field"
    })
  })
})

describe("a job with many faults", () => {
  const broken = jobOf(
    {
      "bad-name": partition(mails, { by: () => "a", weight: () => 1, itemsMax: -1 }),
      asked: infer(hashed, { model: gpt, output: Schema.Struct({ item_key: Schema.String }), prompt, temperature: 3 }),
      ruled: validate(triage, {
        again: { pass: () => true, orElse: retry({ attemptsMax: 1 }) },
        drop: { pass: () => true, orElse: deadLetter }
      })
    },
    { owner: "", budget: usd(-1) },
    "No"
  )

  it("[CRD-2] gets all of them at once, the job's first, then step by step", () => {
    expect(faultsOf(broken).map(({ step, problem }) => `${step}: ${problem}`)).toEqual([
      'job: "No" is no name for a job',
      "job: the owner is empty",
      "job: the budget is -1 US dollars",
      "bad-name: is no name for a step",
      "job: it has 2 partition steps",
      "bad-name: has by and weight: one strategy splits the items",
      "bad-name: itemsMax is -1",
      'asked: a field becomes the column "item_key", which holds the item\'s key',
      "asked: maxTokens is missing, so an answer of gpt-5-mini has no upper price",
      "asked: temperature is 3",
      'ruled: rule "again" retries with attemptsMax 1'
    ])
  })

  it("[CRD-2] says each with its remedy in one message, and that nothing was run", () => {
    const error = new PlanError(broken.name, faultsOf(broken))
    const [first, ...lines] = error.message.split("\n")
    expect(first).toBe('Job "No" does not compile: 11 faults, nothing was run.')
    expect(lines).toHaveLength(22)
    expect(lines.slice(0, 4)).toEqual([
      '  job: "No" is no name for a job',
      '    → use lower-case letters, digits and hyphens, 63 at most: "mail-triage"',
      "  job: the owner is empty",
      "    → name the team that answers for the job"
    ])
    expect(new PlanError("a", faultsOf(broken).slice(0, 1)).message).toContain("one fault, nothing was run")
  })

  it("[CRD-2] a job with every kind of step has none", () => {
    expect(faultsOf(everyStep)).toEqual([])
  })
})
