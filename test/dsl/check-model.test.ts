import { describe, expect, it } from "vitest"

import { anthropic, compile, openai, openaiCompatible, type Price } from "../../dsl/index.ts"
import { asking, faultsOf, gpt, type Case } from "./broken-job.ts"

const maxTokens = 9
const account = "desk"
const right = asking({ model: gpt, maxTokens })
const priced = (price: object) => asking({ model: openai("gpt-5-mini", { account, price: price as Price }), maxTokens })
const sending = (parameters: Readonly<Record<string, unknown>>, more: object = {}) =>
  asking({ model: openai("gpt-5-mini", { account, parameters, ...more }), maxTokens })
const rack = (over: object) => ({ ...openaiCompatible("llama", { account, baseUrl: "http://localhost:8000/v1" }), ...over })
const fair = { inputUsd: 1, outputUsd: 2 }

const cases: ReadonlyArray<Case> = [
  [
    "a price that isn't a number",
    priced({ inputUsd: Number.NaN, outputUsd: 1 }),
    "asked",
    "the price of model gpt-5-mini has inputUsd NaN",
    priced(fair)
  ],
  [
    "a price without end",
    priced({ ...fair, outputUsd: Number.POSITIVE_INFINITY }),
    "asked",
    "the price of model gpt-5-mini has outputUsd Infinity",
    priced({ inputUsd: 0, outputUsd: 0 })
  ],
  [
    "a negative price of cached input",
    priced({ ...fair, cacheReadUsd: -0.1 }),
    "asked",
    "the price of model gpt-5-mini has cacheReadUsd -0.1",
    priced({ ...fair, cacheReadUsd: 0.1, cacheWriteUsd: 0 })
  ],
  [
    "a batch that costs nothing",
    priced({ ...fair, batchFactor: 0 }),
    "asked",
    "the price of model gpt-5-mini has batchFactor 0",
    priced({ ...fair, batchFactor: 1 })
  ],
  [
    "a batch that costs more than real time",
    priced({ ...fair, batchFactor: 1.5 }),
    "asked",
    "the price of model gpt-5-mini has batchFactor 1.5",
    priced({ ...fair, batchFactor: 0.25 })
  ],
  [
    "a batch tier where a server of one's own has none",
    asking({ model: rack({ tier: "batch" }), maxTokens }),
    "asked",
    'model llama is asked with tier "batch", and a server of its own has no batch tier',
    asking({ model: rack({}), maxTokens })
  ],
  [
    "a server without an address",
    asking({ model: rack({ baseUrl: "localhost:8000" }), maxTokens }),
    "asked",
    'model llama has the baseUrl "localhost:8000"',
    asking({ model: rack({ baseUrl: "https://rack.example/v1" }), maxTokens })
  ],
  ["retries that aren't whole", asking({ retriesMax: 1.5 }), "asked", "retriesMax is 1.5", asking({ retriesMax: 0 })],
  [
    "a spacing of no time",
    asking({ retrySpacing: 0 }),
    "asked",
    "retrySpacing is 0",
    asking({ retrySpacing: "10 seconds", retryWithError: true })
  ],
  ["less than no retry", asking({ retriesMax: -1 }), "asked", "retriesMax is -1", asking({ retriesMax: 5 })],
  [
    "a parameter that would break the bound of an answer's price",
    sending({ max_output_tokens: 100_000 }),
    "asked",
    'the parameters of model gpt-5-mini set "max_output_tokens", which nightshift writes itself',
    sending({ reasoning: { effort: "low" } })
  ],
  [
    "a parameter that asks for several answers",
    sending({ n: 4 }),
    "asked",
    'the parameters of model gpt-5-mini set "n", which nightshift writes itself',
    right
  ],
  [
    "a parameter that would replace the answer's schema",
    sending({ text: { format: { type: "text" } } }),
    "asked",
    'the parameters of model gpt-5-mini set "text", which nightshift writes itself',
    right
  ],
  [
    "a parameter that JSON would leave out",
    sending({ seed: undefined }),
    "asked",
    "the parameters of model gpt-5-mini can't be sent as JSON",
    sending({ seed: 7, stop: ["\n"], metadata: { team: "desk" } })
  ],
  [
    "a parameter that the table has no price for",
    sending({ service_tier: "priority" }),
    "asked",
    "the parameters of model gpt-5-mini set service_tier, which the provider charges more for than the price table says",
    sending({ service_tier: "priority" }, { price: fair })
  ]
]

describe("a model that a step asks", () => {
  it.each(cases)("[CST-2] [CST-3] is refused with %s", (_, broken, step, problem, control) => {
    const faults = faultsOf(broken)
    expect(faults.map(({ step: at, problem: what }) => [at, what])).toEqual([[step, problem]])
    expect(faults[0]?.remedy).not.toBe("")
    expect(faultsOf(control)).toEqual([])
  })

  it("[CST-3] says of a length in its parameters where it belongs", () => {
    expect(faultsOf(sending({ max_output_tokens: 9 })).map(({ remedy }) => remedy)).toEqual(["set maxTokens on the step"])
  })
})

describe("what the plan keeps of a model", () => {
  const planned = (model: unknown) =>
    compile(asking({ model, maxTokens })).steps.flatMap((step) => (step.kind === "infer" ? step.models : []))[0]

  it("[CRD-2] is all that the author set, and nothing of what was left out", () => {
    const all = { region: "eu", approvedFor: "restricted", price: fair, parameters: { top_p: 0.5 } } as const
    expect(planned(openai("gpt-5-mini", { account, api: "chat", ...all }))).toMatchObject({ api: "chat", ...all })
    expect(Object.keys(planned(anthropic("claude-haiku-4-5", { account })) ?? {})).toEqual([
      "step",
      "name",
      "engine",
      "account",
      "tier",
      "version"
    ])
    expect(planned(rack({}))).toMatchObject({ baseUrl: "http://localhost:8000/v1" })
  })

  it("[CRD-2] changes the plan's digest: another price, region, parameter or number of retries is another plan", () => {
    const digests = [
      right,
      asking({ model: gpt, maxTokens, retriesMax: 3 }),
      priced(fair),
      priced({ ...fair, outputUsd: 3 }),
      sending({ top_p: 0.5 }),
      asking({ model: openai("gpt-5-mini", { account, region: "eu" }), maxTokens })
    ].map((job) => compile(job).digest)
    expect(new Set(digests).size).toBe(digests.length)
  })
})
