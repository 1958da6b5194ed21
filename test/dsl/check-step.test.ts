import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  count,
  csv,
  flag,
  infer,
  join,
  jsonl,
  local,
  openai,
  partition,
  retry,
  review,
  sql,
  validate,
  when,
  type Job,
  type Step
} from "../../dsl/index.ts"
import {
  Mail,
  Out,
  asking,
  bayes,
  byKind,
  faultsOf,
  gpt,
  hashed,
  jobOf,
  mails,
  mood,
  options,
  prompt,
  reading,
  triage,
  type Case
} from "./broken-job.ts"

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

/** One row that a person labelled. */
const labelled = { item: { id: "1", kind: "letter", body: "" }, expected: "spam" }
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
  [
    "a least confidence over 1",
    asking({ confidence: () => 1, confidenceMin: 70 }),
    "asked",
    "confidenceMin is 70",
    asking({ confidence: () => 1, confidenceMin: 0.7 })
  ],
  [
    "a least confidence of answers that have none",
    asking({ confidenceMin: 0.7 }),
    "asked",
    "confidenceMin is set, and nothing says how sure an answer is",
    asking({ confidence: () => 1 })
  ],
  [
    "an evaluation whose score is in per cent",
    asking({ evaluation: { labelled: [labelled], score: () => 1, scoreMin: 90 } }),
    "asked",
    "the evaluation's scoreMin is 90",
    asking({ evaluation: { labelled: [labelled], score: () => 1, scoreMin: 0.9 } })
  ],
  [
    "an evaluation on nothing",
    asking({ evaluation: { labelled: [], score: () => 1, scoreMin: 0.9 } }),
    "asked",
    "the evaluation has 0 labelled rows",
    asking({ evaluation: { labelled: mails, score: () => 1, scoreMin: 0.9 } })
  ],
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
const ruled = (rules: object, rows: Step = triage): Job => jobOf({ ruled: validate(rows as never, rules as never) })
const again = (attemptsMax: number) => ({ again: { pass: () => true, orElse: retry({ attemptsMax }) } })
const renamed = Schema.Struct({ id: Schema.String, kind: Schema.String }).pipe(Schema.encodeKeys({ kind: "Kind of mail" }))
const counted = (
  schema: Schema.Codec<{ readonly id: string; readonly kind: string }, { readonly id: string; readonly kind: string } | object>,
  how: object
): Job => {
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

describe("a step with one fault", () => {
  it.each([...sources, ...partitions, ...infers, ...rest])(
    "[CRD-2] %s is reported with its step, the problem and a remedy",
    (_, broken, step, problem, control) => {
      const faults = faultsOf(broken)
      expect(faults).toEqual([{ step, problem, remedy: expect.stringMatching(/.{8,}/) }])
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
