import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  compile,
  count,
  deadLetter,
  infer,
  job,
  jsonl,
  local,
  partition,
  usd,
  user,
  validate,
  type Plan
} from "../../../dsl/index.ts"
import { planChanges, planObstacles } from "../../../runtime/execute/plan-changes.ts"

interface Variation {
  readonly prompt?: "short" | "long"
  readonly model?: string
  readonly output?: Schema.Codec<object, unknown>
  readonly maxTokens?: number
  readonly item?: Schema.Codec<{ readonly id: string }, unknown>
  readonly itemsMax?: number
  readonly hasRules?: boolean
  readonly isCounted?: boolean
  readonly budgetUsd?: number
}

const plan = ({
  prompt = "short",
  model = "bayes",
  output = Schema.Struct({ topic: Schema.String }),
  maxTokens,
  item = Schema.Struct({ id: Schema.String }),
  itemsMax,
  hasRules = true,
  isCounted = false,
  budgetUsd = 1
}: Variation): Plan => {
  const mails = jsonl("*.jsonl", { schema: item, key: (mail) => mail.id })
  const spread = partition(mails, itemsMax === undefined ? {} : { itemsMax })
  const ask = local(model, () => ({}), { version: "1" })
  const tokens = maxTokens === undefined ? {} : { maxTokens }
  const topics =
    prompt === "short"
      ? infer(spread, { model: ask, output, ...tokens, prompt: (mail) => [user`${mail.id}`] })
      : infer(spread, { model: ask, output, ...tokens, prompt: (mail) => [user`Which topic has ${mail.id}?`] })
  const known = validate(topics, { known: { pass: () => true, orElse: deadLetter } })
  const again = infer(known, { model: ask, output: Schema.Struct({ topic: Schema.String }), prompt: ({ key }) => [user`${key}`] })
  const of = { owner: "desk", purpose: "Sort", classification: "internal", budget: usd(budgetUsd) } as const
  const total = aggregate(known, { total: count })
  if (!hasRules) return compile(job("sort", { ...of, steps: { mails, spread, topics } }))
  return isCounted
    ? compile(job("sort", { ...of, steps: { mails, spread, topics, known, again, total } }))
    : compile(job("sort", { ...of, steps: { mails, spread, topics, known, again } }))
}

const began = plan({})

describe("a plan that changed", () => {
  it.each<[Variation, ReturnType<typeof planChanges>]>([
    [{}, []],
    [{ prompt: "long" }, [{ step: "topics", what: ["prompt"] }]],
    [{ maxTokens: 9 }, [{ step: "topics", what: ["maxTokens"] }]],
    [{ output: Schema.Struct({ topic: Schema.Literals(["spam"]) }) }, [{ step: "topics", what: ["schema"] }]],
    [
      { model: "better" },
      [
        { step: "topics", what: ["model"] },
        { step: "again", what: ["model"] }
      ]
    ],
    [{ budgetUsd: 2 }, [{ step: "job", what: ["budget"] }]],
    [{ isCounted: true }, [{ step: "total", what: ["added"] }]]
  ])("[CRD-2] is told step by step: %o", (variation, changes) => {
    expect(planChanges(began, plan(variation))).toEqual(changes)
  })

  it.each<Variation>([{}, { prompt: "long" }, { model: "better" }, { maxTokens: 9 }, { budgetUsd: 2 }])(
    "[CRD-2] can be gone on under where every finished item has its rows: %o",
    (variation) => {
      expect(planObstacles(began, plan(variation))).toEqual([])
    }
  )

  it.each<[Variation, string]>([
    [{ item: Schema.Struct({ id: Schema.String, size: Schema.optionalKey(Schema.Finite) }) }, `the items' schema at "mails" is another`],
    [{ itemsMax: 5 }, `"spread" splits the input otherwise`],
    [{ hasRules: false }, `step "known" is gone`],
    [{ isCounted: true }, `step "known" is read by an aggregate now`]
  ])("[CRD-2] can't be gone on under where the manifest or finished items don't fit it: %o", (variation, obstacle) => {
    expect(planObstacles(began, plan(variation)).join("; ")).toContain(obstacle)
  })

  it("[CRD-2] a step that is new between the others, or moved, is an obstacle", () => {
    expect(planObstacles(plan({ hasRules: false }), began).join("; ")).toMatch(/"topics" stands elsewhere.*"known" is new/)
  })
})
