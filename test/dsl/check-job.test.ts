import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  cron,
  deadLetter,
  infer,
  jsonl,
  partition,
  PlanError,
  retry,
  toCsv,
  toJsonl,
  toParquet,
  usd,
  validate,
  when
} from "../../dsl/index.ts"
import { Out, bayes, byKind, faultsOf, gpt, hashed, jobOf, mails, mood, options, prompt, triage, type Case } from "./broken-job.ts"
import everyStep from "./fixtures/every-step.ts"

const checked = validate(triage, { fine: { pass: () => true, orElse: deadLetter } })
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
    "retention is 0 millis, not a span of time",
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
    "a gate that waits for no time",
    jobOf({ triage }, { gateExpiry: 0n }),
    "job",
    "gateExpiry is 0 millis, not a span of time",
    jobOf({ triage }, { gateExpiry: "2 days" })
  ],
  [
    "a pass rate in per cent",
    jobOf({ triage }, { passRateMin: 99 }),
    "job",
    "passRateMin is 99, not a share",
    jobOf({ triage }, { passRateMin: 1 })
  ],
  [
    "a pass rate that is no number",
    jobOf({ triage }, { passRateMin: Number.NaN }),
    "job",
    "passRateMin is NaN, not a share",
    jobOf({ triage }, { passRateMin: 0 })
  ],
  [
    "a sample of a share of the items",
    jobOf({ triage }, { release: { sample: 0.1 } }),
    "job",
    "release.sample is 0.1",
    jobOf({ triage }, { release: { sample: 1 } })
  ],
  ["a sample of nothing", jobOf({ triage }, { release: { sample: 0 } }), "job", "release.sample is 0", right],
  ["a sample that nobody can look through", jobOf({ triage }, { release: { sample: 1_001 } }), "job", "release.sample is 1001", right],
  [
    "a callback that may take no time",
    jobOf({ triage }, { callbackTimeout: "999 millis" }),
    "job",
    "callbackTimeout is 0.999 s",
    jobOf({ triage }, { callbackTimeout: "1 second" })
  ],
  [
    "a callback that may take all night",
    jobOf({ triage }, { callbackTimeout: "61 minutes" }),
    "job",
    "callbackTimeout is 3660 s",
    jobOf({ triage }, { callbackTimeout: "1 hour" })
  ],
  [
    "a callback that may take for ever",
    jobOf({ triage }, { callbackTimeout: "Infinity" }),
    "job",
    'callbackTimeout is "Infinity", not a span of time',
    right
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
  ],
  [
    "an export to nowhere",
    jobOf({ triage }, { release: { exports: [toParquet(" ")] } }),
    "job",
    "an export as parquet names no folder",
    jobOf({ triage }, { release: { exports: [toParquet("out")] } })
  ],
  [
    "an export of a step that the job doesn't have",
    jobOf({ triage }, { release: { exports: [toCsv("out", { step: mood })] } }),
    "job",
    "an export as csv is of a step that the job doesn't have",
    jobOf({ triage, mood }, { release: { exports: [toCsv("out", { step: mood })] } })
  ],
  [
    "an export of a step that isn't the last",
    jobOf({ triage, checked }, { release: { exports: [toCsv("out", { step: triage })] } }),
    "job",
    "an export as csv is of triage, whose rows go on to another step",
    jobOf({ triage, checked }, { release: { exports: [toCsv("out", { step: checked })] } })
  ],
  [
    "two exports into one file",
    jobOf({ triage }, { release: { exports: [toJsonl("out"), toJsonl("out", { step: triage })] } }),
    "job",
    "two exports write the same jsonl file",
    jobOf({ triage, mood }, { release: { exports: [toJsonl("out", { step: triage }), toJsonl("out", { step: mood }), toCsv("out")] } })
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

describe("a job with one fault", () => {
  it.each([...declarations, ...names, ...shapes])(
    "[CRD-2] %s is reported with its step, the problem and a remedy",
    (_, broken, step, problem, control) => {
      const faults = faultsOf(broken)
      expect(faults).toEqual([{ step, problem, remedy: expect.stringMatching(/.{8,}/) }])
      expect(faultsOf(control)).toEqual([])
    }
  )
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
