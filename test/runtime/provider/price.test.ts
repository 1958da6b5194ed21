import { spawnSync } from "node:child_process"
import * as path from "node:path"

import { calcPrice, findProvider } from "@pydantic/genai-prices"
import { it as effectIt } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { countTokens } from "gpt-tokenizer/encoding/o200k_base"
import { describe, expect, it } from "vitest"

import { anthropic, local, openai, openaiCompatible, type Model, type Price } from "../../../dsl/index.ts"
import { boundUsd, costUsd, fullUsd, inputTokensBound, priceOf } from "../../../runtime/provider/price.ts"
import { noUsage, type Usage } from "../../../runtime/provider/usage.ts"

const at = new Date("2026-11-01T12:00:00Z")
const account = { account: "desk" }
const haiku = anthropic("claude-haiku-4-5", account)
const sonnet = anthropic("claude-sonnet-4-5", account)
const mini = openai("gpt-5-mini", account)
const usage = (over: Partial<Usage>): Usage => ({ ...noUsage, ...over })

describe("the price of a model", () => {
  it("[CST-3] the table knows the models that jobs use, dated versions too, and sells them at one price", () => {
    for (const [plain, dated] of [
      [mini, openai("gpt-5-mini-2025-08-07", account)],
      [openai("gpt-5-nano", account), openai("gpt-5-nano-2025-08-07", account)],
      [openai("gpt-4.1-mini", account), openai("gpt-4.1-mini-2025-04-14", account)],
      [haiku, anthropic("claude-haiku-4-5-20251001", account)],
      [sonnet, anthropic("claude-sonnet-4-5-20250929", account)]
    ] as const) {
      expect(priceOf(plain, at)?.source, plain.name).toBe("table")
      expect(priceOf(dated, at), dated.name).toEqual(priceOf(plain, at))
    }
    expect(priceOf(mini, at)?.bands).toEqual([
      { above: -1, inputUsd: 0.25, cacheReadUsd: 0.025, cacheWrite5mUsd: 0.25, cacheWrite1hUsd: 0.25, outputUsd: 2 }
    ])
    expect(priceOf(haiku, at)?.bands).toEqual([
      { above: -1, inputUsd: 1, cacheReadUsd: 0.1, cacheWrite5mUsd: 1.25, cacheWrite1hUsd: 2, outputUsd: 5 }
    ])
  })

  it("[CST-3] [case 37] an unknown one is null and costs null, never 0; the author's price makes it known", () => {
    const unknown = openai("my-local-7b", account)
    const some = usage({ inputTokens: 1_000, outputTokens: 10 })
    expect(priceOf(unknown, at)).toBeNull()
    expect(costUsd(unknown, some, "realtime", at)).toBeNull()
    expect(costUsd(unknown, noUsage, "realtime", at)).toBeNull()
    expect(fullUsd(unknown, some, at)).toBeNull()
    expect(boundUsd(unknown, 1_000, 10, "realtime", at)).toBeNull()
    const priced = openai("my-local-7b", { ...account, price: { inputUsd: 2, outputUsd: 10 } })
    expect(costUsd(priced, some, "realtime", at)).toBeCloseTo(0.0021, 12)
  })

  it("[CST-3] [case 37] a model of another server that is called like one of the table has no price but its author's", () => {
    const rack = { ...account, baseUrl: "http://localhost:8000/v1" }
    expect(priceOf(openaiCompatible("gpt-5-mini", rack), at)).toBeNull()
    expect(priceOf(mini, at)).not.toBeNull()
    expect(priceOf(openaiCompatible("gpt-5-mini", { ...rack, price: { inputUsd: 0, outputUsd: 0 } }), at)?.source).toBe("author")
  })

  it("[CST-3] the author's price wins over the table's", () => {
    const own = openai("gpt-5-mini", {
      ...account,
      price: { inputUsd: 1, outputUsd: 4, cacheReadUsd: 0.5, cacheWriteUsd: 3, batchFactor: 0.25 }
    })
    const mixed = usage({ inputTokens: 1_000_000, cacheReadTokens: 400_000, cacheWrite5mTokens: 100_000, outputTokens: 1_000_000 })
    expect(costUsd(own, mixed, "realtime", at)).toBeCloseTo(0.5 + 0.2 + 0.3 + 4, 12)
    expect(costUsd(own, mixed, "batch", at)).toBeCloseTo(5 / 4, 12)
  })

  it("[CST-3] an author who gives only input and output pays Anthropic's factors for writing its cache, and OpenAI none", () => {
    const price: Price = { inputUsd: 1, outputUsd: 1 }
    const written = usage({
      inputTokens: 3_000_000,
      cacheReadTokens: 1_000_000,
      cacheWrite5mTokens: 1_000_000,
      cacheWrite1hTokens: 1_000_000
    })
    expect(costUsd(anthropic("claude-new", { ...account, price }), written, "realtime", at)).toBeCloseTo(1 + 1.25 + 2, 12)
    expect(costUsd(openai("gpt-new", { ...account, price }), written, "realtime", at)).toBeCloseTo(3, 12)
  })

  it("[CST-3] an embedded model costs 0 and doesn't load the table; a remote one does", () => {
    const loads = (model: string): string => {
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [
          "--input-type=module",
          "--eval",
          `import { anthropic, local } from "./dsl/index.ts"
           import { costUsd } from "./runtime/provider/price.ts"
           import { noUsage } from "./runtime/provider/usage.ts"
           import { createRequire } from "node:module"
           const cost = costUsd(${model}, noUsage, "realtime", new Date(0))
           const loaded = Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("genai-prices"))
           console.log(cost, loaded)`
        ],
        { cwd: path.resolve(import.meta.dirname, "..", "..", ".."), encoding: "utf8" }
      )
      expect(stderr).toBe("")
      return stdout.trim()
    }
    expect(loads(`local("bayes", () => ({}))`)).toBe("0 false")
    expect(loads(`anthropic("claude-haiku-4-5", { account: "desk" })`)).toBe("0 true")
    expect(
      costUsd(
        local("bayes", () => ({})),
        usage({ inputTokens: 9 }),
        "realtime",
        at
      )
    ).toBe(0)
  })

  it("[CST-3] a price that changes on a day is that of the moment asked for, whatever was asked before", () => {
    const o3 = openai("o3", account)
    const some = usage({ inputTokens: 1_000_000 })
    expect(costUsd(o3, some, "realtime", new Date("2025-06-09T23:59:59Z"))).toBeCloseTo(10, 12)
    expect(costUsd(o3, some, "realtime", new Date("2025-06-10T00:00:00Z"))).toBeCloseTo(2, 12)
    expect(costUsd(o3, some, "realtime", new Date("2025-06-09T23:59:59Z"))).toBeCloseTo(10, 12)
  })
})

describe("the cost of a call", () => {
  it("[CST-3] [case 34] is the same for the same work, whichever dialect counted it", () => {
    // Anthropic: in 9, cache read 17,102. OpenAI: prompt 17,111 of which cached 17,102. One form for both.
    const work = usage({ inputTokens: 17_111, cacheReadTokens: 17_102, outputTokens: 50 })
    const price: Price = { inputUsd: 3, cacheReadUsd: 0.3, outputUsd: 15 }
    const inDialects = [anthropic("a", { ...account, price }), openai("b", { ...account, price })]
    const costs = inDialects.map((model) => costUsd(model, work, "realtime", at))
    expect(costs[0]).toBeCloseTo((9 * 3 + 17_102 * 0.3 + 50 * 15) / 1e6, 12)
    expect(costs[1]).toBe(costs[0])
    // And by the table, whose price of that model is the same.
    expect(costUsd(sonnet, work, "realtime", at)).toBeCloseTo(costs[0] ?? 0, 12)
  })

  it("[CST-3] [case 36] a prompt of 300,000 tokens pays the long-context price, all of it, and then the batch factor; its short neighbour doesn't", () => {
    const long = usage({ inputTokens: 300_000, outputTokens: 1_000 })
    const short = usage({ inputTokens: 200_000, outputTokens: 1_000 })
    expect(costUsd(sonnet, long, "realtime", at)).toBeCloseTo(1.8 + 0.0225, 12)
    expect(costUsd(sonnet, long, "batch", at)).toBeCloseTo((1.8 + 0.0225) / 2, 12)
    expect(costUsd(sonnet, short, "batch", at)).toBeCloseTo((0.6 + 0.015) / 2, 12)
    // What is cached counts towards the length.
    expect(costUsd(sonnet, usage({ inputTokens: 300_000, cacheReadTokens: 299_000 }), "realtime", at)).toBeCloseTo(
      (1_000 * 6 + 299_000 * 0.6) / 1e6,
      12
    )
  })

  it("[CST-3] a cache written for an hour costs 2 × the input, for five minutes 1.25 ×, and reasoning is output", () => {
    expect(costUsd(haiku, usage({ inputTokens: 1_000_000, cacheWrite1hTokens: 1_000_000 }), "realtime", at)).toBeCloseTo(2, 12)
    expect(costUsd(haiku, usage({ inputTokens: 1_000_000, cacheWrite5mTokens: 1_000_000 }), "realtime", at)).toBeCloseTo(1.25, 12)
    expect(costUsd(haiku, usage({ outputTokens: 1_000, reasoningTokens: 900 }), "realtime", at)).toBeCloseTo(0.005, 12)
  })

  it("[CST-4] the full price is that of real time without a cache", () => {
    const cached = usage({ inputTokens: 100_000, cacheReadTokens: 90_000, outputTokens: 1_000 })
    expect(fullUsd(haiku, cached, at)).toBeCloseTo(0.1 + 0.005, 12)
    expect(costUsd(haiku, cached, "batch", at)).toBeCloseTo((0.01 + 0.009 + 0.005) / 2, 12)
  })
})

const tokens = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400_000 })))
const share = Arbitrary.schema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })))
const checks = { arbitrary: { seed: 2026, runs: 100 } }

/** Every model of the table that has a price of input and output, and whether writing its cache is priced. */
const tableModels = (["openai", "anthropic"] as const).flatMap((engine) =>
  (findProvider({ providerId: engine })?.models ?? []).flatMap(({ id }) => {
    const rates = calcPrice({}, id, { providerId: engine, timestamp: at })?.model_price
    if (rates?.["input_mtok"] === undefined || rates["output_mtok"] === undefined) return []
    const model: Model = engine === "openai" ? openai(id, account) : anthropic(id, account)
    return [{ model, engine, writes: rates["cache_write_mtok"] !== undefined, hours: rates["cache_write_1h_mtok"] !== undefined }]
  })
)

describe("every model of the table", () => {
  it("is priced", () => {
    expect(tableModels.length).toBeGreaterThan(60)
    for (const { model } of tableModels) expect(priceOf(model, at), model.name).not.toBeNull()
  })

  effectIt.prop(
    "[CST-3] [case 36] costs what the table's own library says, whatever was used",
    [tokens, share, share, share, tokens],
    ([inputTokens, read, write, hour, outputTokens]) => {
      for (const { model, engine, writes, hours } of tableModels) {
        const cacheReadTokens = Math.floor(inputTokens * read)
        const written = writes ? Math.floor((inputTokens - cacheReadTokens) * write) : 0
        const cacheWrite1hTokens = hours ? Math.floor(written * hour) : 0
        const cacheWrite5mTokens = written - cacheWrite1hTokens
        const ours = costUsd(
          model,
          usage({ inputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens, outputTokens }),
          "realtime",
          at
        )
        const theirs = calcPrice(
          {
            input_tokens: inputTokens,
            cache_read_tokens: cacheReadTokens,
            ...(writes ? { cache_write_tokens: written } : {}),
            ...(hours ? { cache_write_1h_tokens: cacheWrite1hTokens } : {}),
            output_tokens: outputTokens
          },
          model.name,
          { providerId: engine, timestamp: at }
        )
        expect(ours, model.name).toBeCloseTo(theirs?.total_price ?? Number.NaN, 9)
      }
    },
    checks
  )

  effectIt.prop(
    "[CST-2] [case 36] never costs more than its bound, whatever part of the input and the answer was used, and however",
    [tokens, share, share, share, share, tokens, share],
    ([bound, part, read, write, hour, maxTokens, said]) => {
      const inputTokens = Math.floor(bound * part)
      const cacheReadTokens = Math.floor(inputTokens * read)
      const written = Math.floor((inputTokens - cacheReadTokens) * write)
      const cacheWrite1hTokens = Math.floor(written * hour)
      const used = usage({
        inputTokens,
        cacheReadTokens,
        cacheWrite1hTokens,
        cacheWrite5mTokens: written - cacheWrite1hTokens,
        outputTokens: Math.floor(maxTokens * said)
      })
      for (const { model } of tableModels) {
        for (const tier of ["realtime", "batch"] as const) {
          const most = boundUsd(model, bound, maxTokens, tier, at) ?? Number.NaN
          expect((costUsd(model, used, tier, at) ?? Number.NaN) - most, `${model.name}, ${tier}`).toBeLessThanOrEqual(1e-12)
        }
      }
    },
    checks
  )

  it("[CST-2] the bound is reached: a prompt as long as its bound, written to the cache for an hour, and a whole answer", () => {
    const most = usage({ inputTokens: 300_000, cacheWrite1hTokens: 300_000, outputTokens: 500 })
    expect(costUsd(sonnet, most, "realtime", at)).toBeCloseTo(boundUsd(sonnet, 300_000, 500, "realtime", at) ?? 0, 12)
  })
})

describe("the bound of a request's tokens", () => {
  it("[CST-2] counts a byte as a token, every message's borders, and what the provider adds", () => {
    expect(inputTokensBound([], "openai")).toBe(1_024)
    expect(inputTokensBound(["abc", "dé"], "openai")).toBe(1_024 + 2 * 16 + 3 + 3)
  })

  it("[CST-2] counts each byte twice where the vocabulary isn't published and marks words and capitals", () => {
    expect(inputTokensBound(["abc", "dé"], "anthropic")).toBe(1_024 + 2 * 16 + 2 * 6)
  })

  it("[CST-2] counts the longer of a text's two forms: a ligature may come apart before it is cut into tokens", () => {
    const bytesOf = (text: string): number => inputTokensBound([text], "openai") - inputTokensBound([""], "openai")
    const ligature = "\ufdfa"
    expect(Buffer.byteLength(ligature)).toBe(3)
    expect(bytesOf(ligature)).toBe(33)
    // Where the composed form is the shorter one, the text as it stands counts.
    expect(bytesOf("e\u0301")).toBe(3)
  })

  it.each([
    ["letters of one kind", "a".repeat(2_000)],
    ["a text", "The quick brown fox jumps over the lazy dog. ".repeat(20)],
    ["noise", Array.from({ length: 500 }, (_, index) => String.fromCodePoint(33 + ((index * 7_919) % 9_000))).join("")],
    ["emoji", "\u{1f469}\u200d\u{1f680}\u{1f3fd}".repeat(100)],
    ["digits and brackets", "[0,1],{}".repeat(200)]
  ])("[CST-2] is above what OpenAI's own vocabulary makes of %s", (_, text) => {
    expect(countTokens(text)).toBeLessThanOrEqual(inputTokensBound([text], "openai") - inputTokensBound([""], "openai"))
  })
})
