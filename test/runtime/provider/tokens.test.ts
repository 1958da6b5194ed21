import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"

import { anthropic, openai, openaiCompatible } from "../../../dsl/index.ts"
import { openTokenCounter } from "../../../runtime/provider/tokens.ts"

const account = { account: "desk" }
const mini = openai("gpt-5-mini", account)
const old = openai("gpt-4-0613", account)
const haiku = anthropic("claude-haiku-4-5", account)
const opus = anthropic("claude-opus-4-7", account)
const sentence = "The lessee shall keep the premises in good repair, reasonable wear and tear excepted. "

describe("a count of tokens", () => {
  it.effect("[CST-1] is that of the model's own vocabulary", () =>
    Effect.gen(function* () {
      const count = yield* openTokenCounter([mini, old])
      expect(count(mini, "hello world")).toBe(2)
      // Known to differ: the newer vocabulary has longer tokens beyond English.
      expect(count(mini, "नमस्ते दुनिया")).toBeLessThan(count(old, "नमस्ते दुनिया"))
      expect(count(openai("gpt-4.1-mini", account), sentence)).toBe(count(mini, sentence))
      expect(count(openaiCompatible("llama", { ...account, baseUrl: "http://localhost/v1" }), sentence)).toBe(count(mini, sentence))
    })
  )

  it.effect("[CST-1] is reckoned higher for models whose vocabulary isn't published, and higher yet for the newest", () =>
    Effect.gen(function* () {
      const count = yield* openTokenCounter([mini, haiku, opus])
      const text = sentence.repeat(20)
      expect(count(haiku, text)).toBe(Math.ceil(count(mini, text) * 1.2))
      expect(count(opus, text)).toBe(Math.ceil(count(mini, text) * 1.55))
      expect(count(anthropic("claude-sonnet-4-5-20250929", account), text)).toBe(count(haiku, text))
      expect(count(anthropic("claude-sonnet-5", account), text)).toBe(count(opus, text))
    })
  )

  it.effect("[CST-1] takes what spells a control token for text", () =>
    Effect.gen(function* () {
      const count = yield* openTokenCounter([mini])
      expect(count(mini, "<|endoftext|>")).toBeGreaterThan(1)
    })
  )

  it.effect("[CST-1] of a long text is reckoned from parts of it, to within a few percent", () =>
    Effect.gen(function* () {
      const count = yield* openTokenCounter([mini])
      const ratio = (text: string, tokens: number): number => count(mini, text) / tokens
      const ofSentence = count(mini, sentence.repeat(100)) / 100
      expect(Math.abs(ratio(sentence.repeat(2_000), ofSentence * 2_000) - 1)).toBeLessThan(0.02)
      // The head says nothing of the rest: a long table behind a short letter.
      expect(Math.abs(ratio(`${sentence.repeat(100)}${"7;".repeat(60_000)}`, ofSentence * 100 + 120_000) - 1)).toBeLessThan(0.25)
    })
  )
})
