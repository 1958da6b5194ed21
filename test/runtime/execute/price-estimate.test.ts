import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  count,
  infer,
  job,
  jsonl,
  local,
  openai,
  openaiCompatible,
  partition,
  usd,
  user,
  type Model
} from "../../../dsl/index.ts"
import { makeGraph } from "../../../runtime/execute/graph.ts"
import { priceEstimate, type PriceEstimate, type PriceOptions } from "../../../runtime/execute/price-estimate.ts"
import type { PromptSize } from "../../../runtime/execute/prompt-sizes.ts"

const Item = Schema.Struct({ id: Schema.String })
const Label = Schema.Struct({ label: Schema.String })
const price = { inputUsd: 1, outputUsd: 10 }
const at = new Date("2026-11-25T00:00:00Z")
const hour = 3_600_000
const uncached = { cacheReadTokens: 0, cacheWriteTokens: 0 }

const graphOf = (models: Model | readonly [Model, Model]) => {
  const items = jsonl("x.jsonl", { schema: Item, key: ({ id }) => id })
  const prompt = ({ id }: typeof Item.Type) => [user`${id}`] as const
  const parts = partition(items)
  const common = { maxTokens: 100, prompt, output: Label }
  // A list is a cascade.
  const labels =
    "engine" in models ? infer(parts, { ...common, model: models }) : infer(parts, { ...common, model: [...models], accept: () => true })
  const total = aggregate(labels, { count })
  const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const
  return makeGraph(job("test", { ...about, steps: { items, parts, labels, total } }))
}

/** Ten items were looked at, of a thousand; each prompt has a thousand tokens. */
const sizeOf = (model: Model, over: Partial<PromptSize> = {}): PromptSize => ({
  infer: "labels",
  step: "labels",
  model,
  maxTokens: 100,
  place: 0,
  items: 10,
  tokens: Array.from({ length: 10 }, () => 1_000),
  sharedTokens: 0,
  isFiltered: false,
  ...over
})

const estimated = (
  models: Model | readonly [Model, Model],
  sizes: ReadonlyArray<PromptSize>,
  over: Partial<PriceOptions> = {}
): PriceEstimate =>
  priceEstimate({
    graph: graphOf(models),
    items: 1_000,
    prompts: { measured: 10, sizes, failures: [] },
    measured: null,
    withinMs: null,
    realtimeMs: 0,
    at,
    ...over
  })

const usdOf = ({ lowUsd, likelyUsd, highUsd }: Pick<PriceEstimate, "lowUsd" | "likelyUsd" | "highUsd">) => [lowUsd, likelyUsd, highUsd]

describe("the price of one model", () => {
  const model = openai("m", { account: "a", price })

  it("[CST-1] is that of all prompts, with answers from a tenth to all of maxTokens", () => {
    const one = estimated(model, [sizeOf(model)])
    // A thousand prompts of a thousand tokens are a dollar; a thousand answers of a hundred tokens another.
    expect(usdOf(one)).toEqual([expect.closeTo(1.1, 9), expect.closeTo(1.5, 9), expect.closeTo(2, 9)])
    expect(one).toMatchObject({ unknown: [], unpriced: [], sampled: 10 })
    expect(one.models).toMatchObject([
      {
        step: "labels",
        model: "m",
        tier: "realtime",
        requests: 1_000,
        isUpTo: false,
        inputTokens: 1_000_000,
        outputTokens: 50_000,
        output: "assumed"
      }
    ])
  })

  it("[CST-1] counts each prompt at its own length, and only items that go there", () => {
    const some = estimated(model, [sizeOf(model, { items: 5, tokens: [100, 100, 100, 100, 4_600] })])
    expect(some.models[0]).toMatchObject({ requests: 500, inputTokens: 500_000 })
    expect(some.likelyUsd).toBeCloseTo(0.5 + 0.25, 9)
  })

  it("[CST-1] at its lowest has all that prompts begin with from the provider's cache, where it is long enough", () => {
    const tenth = openai("m", { account: "a", price: { ...price, cacheReadUsd: 0.1 } })
    const low = (sharedTokens: number) =>
      usdOf(estimated(tenth, [sizeOf(tenth, { sharedTokens, tokens: Array.from({ length: 10 }, () => 2_000) })]))
    expect(low(1_500)).toEqual([expect.closeTo(0.5 + 0.15 + 0.1, 9), expect.closeTo(2.5, 9), expect.closeTo(3, 9)])
    expect(low(1_000)[0]).toBeCloseTo(2.1, 9)
  })

  it("[CST-1] in the batch tier is half", () => {
    const batch = openai("m", { account: "a", price, tier: "batch" })
    expect(usdOf(estimated(batch, [sizeOf(batch)]))).toEqual([expect.closeTo(0.55, 9), expect.closeTo(0.75, 9), expect.closeTo(1, 9)])
  })

  it("[CST-1] where the tier is decided by the deadline: batch at best, real time at worst, and likely what there is time for", () => {
    const auto = openai("m", { account: "a", price, tier: "auto" })
    const [relaxed, hurried] = [
      estimated(auto, [sizeOf(auto)], { withinMs: null }),
      estimated(auto, [sizeOf(auto)], { withinMs: hour, realtimeMs: hour })
    ]
    expect(usdOf(relaxed)).toEqual([expect.closeTo(0.55, 9), expect.closeTo(0.75, 9), expect.closeTo(2, 9)])
    expect(usdOf(hurried)).toEqual([expect.closeTo(0.55, 9), expect.closeTo(1.5, 9), expect.closeTo(2, 9)])
    expect([relaxed.models[0]?.tier, hurried.models[0]?.tier]).toEqual(["batch", "realtime"])
  })

  it("[CST-1] takes the length of answers from the last run, and what its cache saved", () => {
    const steps = [{ step: "labels", model: "m", asked: 200, calls: 200, inputTokens: 200_000, ...uncached, outputTokens: 4_000 }]
    const known = estimated(model, [sizeOf(model)], { measured: { items: 200, steps } })
    expect(usdOf(known)).toEqual([expect.closeTo(1.2, 9), expect.closeTo(1.2, 9), expect.closeTo(2, 9)])
    expect(known.models[0]?.output).toBe("measured")
    // What its cache did: of a thousand tokens 800 at a tenth of the price; the highest has none of it.
    const tenth = openai("m", { account: "a", price: { ...price, cacheReadUsd: 0.1 } })
    const saved = estimated(tenth, [sizeOf(tenth)], { measured: { items: 200, steps: [{ ...steps[0]!, cacheReadTokens: 160_000 }] } })
    expect(usdOf(saved)).toEqual([expect.closeTo(0.48, 9), expect.closeTo(0.48, 9), expect.closeTo(2, 9)])
    // Another model at the same step has been measured by nobody.
    const other = estimated(model, [sizeOf(model)], { measured: { items: 200, steps: [{ ...steps[0]!, model: "older" }] } })
    expect(other.likelyUsd).toBeCloseTo(1.5, 9)
  })
})

describe("the price of a cascade", () => {
  const cheap = openai("cheap", { account: "a", price: { inputUsd: 0.1, outputUsd: 1 } })
  const dear = openai("dear", { account: "a", price })
  const sizes = [sizeOf(cheap, { step: "labels/cheap" }), sizeOf(dear, { step: "labels/dear", place: 1 })]

  it("[CST-1] is at least that of its first model and at most that of both; half of the items are taken to be passed on", () => {
    const both = estimated([cheap, dear], sizes)
    expect(usdOf(both)).toEqual([expect.closeTo(0.11, 9), expect.closeTo(0.15 + 0.75, 9), expect.closeTo(0.2 + 2, 9)])
    expect(both.models.map(({ requests, isUpTo }) => [requests, isUpTo])).toEqual([
      [1_000, false],
      [500, true]
    ])
  })

  it("[CST-1] takes the share that was passed on from the last run", () => {
    const steps = [
      { step: "labels/cheap", model: "cheap", asked: 100, calls: 100, inputTokens: 100_000, ...uncached, outputTokens: 5_000 },
      { step: "labels/dear", model: "dear", asked: 10, calls: 10, inputTokens: 10_000, ...uncached, outputTokens: 500 }
    ]
    const known = estimated([cheap, dear], sizes, { measured: { items: 100, steps } })
    expect(known.likelyUsd).toBeCloseTo(0.15 + 0.15, 9)
    expect(known.models[1]).toMatchObject({ requests: 100, isUpTo: false })
    expect(known.highUsd).toBeCloseTo(2.2, 9)
  })
})

describe("a price that can't be told", () => {
  const own = openaiCompatible("own", { account: "box", baseUrl: "http://127.0.0.1:9/v1" })
  const model = openai("m", { account: "a", price })

  it("[CST-3] (case 37) is null and names the model, whatever else is known", () => {
    const half = estimated([model, own], [sizeOf(model), sizeOf(own, { step: "labels/own", place: 1 })])
    expect(half).toMatchObject({ lowUsd: null, likelyUsd: null, highUsd: null, unpriced: ["own"] })
    expect(half.models.map(({ likelyUsd }) => likelyUsd === null)).toEqual([false, true])
  })

  it("[CST-1] is null with a reason where the input, the prompts or answers that a prompt reads aren't known", () => {
    const reasons = (over: Partial<PriceOptions>) => {
      const { likelyUsd, unknown } = estimated(model, [sizeOf(model)], over)
      expect(likelyUsd).toBeNull()
      return unknown
    }
    expect(reasons({ items: null })).toEqual(["the input wasn't read"])
    expect(reasons({ prompts: null })).toEqual(["the input wasn't read"])
    expect(reasons({ prompts: { measured: 0, sizes: [], failures: [] } })).toEqual(["no prompt was made in time"])
    expect(reasons({ prompts: { measured: 10, sizes: [sizeOf(model)], failures: [{ step: "labels", reason: "no id" }] } })).toEqual([
      "the prompt of labels fails: no id"
    ])
    expect(reasons({ prompts: { measured: 10, sizes: [sizeOf(model, { tokens: null })], failures: [] } })).toEqual([
      "the prompt of labels reads answers, and no run has measured it"
    ])
  })

  it("[CST-1] a prompt that reads answers is reckoned from the step before it, and measured by a run", () => {
    const second = sizeOf(model, { infer: "gist", step: "gist", tokens: null })
    const reckoned = estimated(model, [sizeOf(model), second])
    // Its item again, and half of an answer's hundred tokens.
    expect(reckoned.models[1]).toMatchObject({ input: "reckoned", inputTokens: 1_050_000 })
    const steps = [{ step: "gist", model: "m", asked: 100, calls: 50, inputTokens: 100_000, ...uncached, outputTokens: 5_000 }]
    expect(estimated(model, [sizeOf(model), second], { measured: { items: 100, steps } }).models[1]).toMatchObject({
      input: "measured",
      inputTokens: 2_000_000,
      outputTokens: 100_000
    })
  })

  it("[CST-1] nothing to ask costs nothing", () => {
    expect(usdOf(estimated(model, [sizeOf(model)], { items: 0 }))).toEqual([0, 0, 0])
    const embedded = local("words", () => ({ label: "a" }))
    expect(usdOf(estimated(embedded, [], { prompts: null }))).toEqual([0, 0, 0])
  })
})
