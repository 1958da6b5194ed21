import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  compile,
  count,
  deadLetter,
  flag,
  infer,
  job,
  join,
  jsonl,
  local,
  partition,
  report,
  usd,
  user,
  validate,
  when
} from "../../../dsl/index.ts"
import { mermaid, stepList } from "../../../runtime/cli/plan-graph.ts"

const Item = Schema.Struct({ id: Schema.String })
const Label = Schema.Struct({ label: Schema.String })
const source = jsonl(({ date }) => `inbox/${date}/<all>.jsonl`, { schema: Item, key: ({ id }) => id })
const end = partition(source, { by: ({ id }) => id, itemsMax: 500 })
const [small, large] = [local("small", () => ({})), local("large", () => ({}))]
const topic = infer(end, { model: [small, large], accept: () => true, prompt: ({ id }) => [user`${id}`], output: Label, maxTokens: 64 })
const some = when(end, () => true)
const tone = infer(some, { model: small, prompt: ({ id }) => [user`${id}`], output: Label, overrides: { AU: { model: large } } })
const both = join({ topic, how: tone })
const trusted = validate(both, { known: { pass: () => true, orElse: deadLetter }, short: { pass: () => true, orElse: flag } })
const totals = aggregate(trusted, { total: count })
const morning = report(totals, ({ total }) => `${total}`)
const plan = compile(
  job("every-step", {
    owner: "x",
    purpose: "y",
    classification: "public",
    budget: usd(1),
    steps: { source, end, topic, some, tone, both, trusted, totals, morning }
  })
)

describe("a plan's steps", () => {
  it("[CRD-2] are listed below what they read, each with what it does", () => {
    expect(stepList(plan)).toBe(
      [
        "source                        source     jsonl ({ date }) => `inbox/${date}/<all>.jsonl`",
        "└─ end                        partition  by a field, at most 500 items each",
        "   ├─ topic                   infer      small (embedded), then large (embedded); at most 64 tokens",
        "   └─ some                    when       lets some items through",
        "      └─ tone                 infer      small (embedded); another model or prompt for AU",
        "         └─ both              join       how = tone, topic",
        "            └─ trusted        validate   known or dead letter, short or flag  ■ items end here",
        "               └─ totals      aggregate  total",
        "                  └─ morning  report"
      ].join("\n")
    )
  })

  it("[CRD-2] are drawn by Mermaid: every step once, every edge once, and no text that ends a label", () => {
    const lines = mermaid(plan).split("\n")
    expect(lines[0]).toBe("flowchart TD")
    const edges = lines.filter((line) => line.includes(" --> ")).map((line) => line.trim())
    expect(edges).toEqual([
      "s_source --> s_end",
      "s_end --> s_topic",
      "s_end --> s_some",
      "s_some --> s_tone",
      "s_tone --> s_both",
      "s_topic --> s_both",
      "s_both --> s_trusted",
      "s_trusted --> s_totals",
      "s_totals --> s_morning"
    ])
    const nodes = lines.slice(1).filter((line) => !line.includes(" --> "))
    expect(nodes).toHaveLength(plan.steps.length)
    // A node's text stands in the only two quotes of its line.
    for (const node of nodes) expect(node.match(/"/g)).toHaveLength(2)
    expect(nodes[0]).toContain("#lt;all#gt;")
  })
})
