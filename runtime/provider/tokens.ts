/** How many tokens a text has, for estimates: what is paid is counted by the provider. */
import * as Effect from "effect/Effect"

import type { Model } from "../../dsl/index.ts"

/** Rounded up. */
export type CountTokens = (model: Model, text: string) => number

/** A longer text is reckoned from as many characters, taken in equal parts from all over it. */
const charactersMax = 16_384
const partsMax = 4

/** Anthropic publishes no vocabulary: older models were measured at 1.16 (prose) to 1.3 (code) times OpenAI's count. */
const claudeFactor = 1.2
/** The vocabulary of Opus 4.7 and of all that came after it makes some 30 % more of the same text, as its documentation says. */
const newClaudeFactor = 1.55

/** Loads the vocabularies of these models: 130 ms and 30 MB of heap each, for almost all models the same one. */
export const openTokenCounter = Effect.fn("Tokens.open")(function* (models: ReadonlyArray<Model>) {
  const counters = new Map<Encoding, (text: string) => number>()
  for (const encoding of new Set(models.map(encodingOf))) counters.set(encoding, yield* Effect.promise(() => load[encoding]()))
  const count: CountTokens = (model, text) => {
    const counter = counters.get(encodingOf(model))
    if (counter === undefined) throw new Error(`The vocabulary of ${model.name} isn't loaded`)
    return Math.ceil(reckoned(text, counter) * factorOf(model))
  }
  return count
})

type Encoding = "o200k_base" | "cl100k_base"

// A text that spells a control token is a text all the same.
const plain = { disallowedSpecial: new Set<string>() }
const load: Readonly<Record<Encoding, () => Promise<(text: string) => number>>> = {
  o200k_base: () =>
    import("gpt-tokenizer/encoding/o200k_base").then(
      ({ countTokens }) =>
        (text) =>
          countTokens(text, plain)
    ),
  cl100k_base: () =>
    import("gpt-tokenizer/encoding/cl100k_base").then(
      ({ countTokens }) =>
        (text) =>
          countTokens(text, plain)
    )
}

/** Models since GPT-4o share one; others than OpenAI's are reckoned by it. */
const encodingOf = ({ engine, name }: Model): Encoding =>
  engine === "openai" && /^(gpt-3\.5|gpt-4($|-))/.test(name) ? "cl100k_base" : "o200k_base"

const factorOf = ({ engine, name }: Model): number => {
  if (engine !== "anthropic") return 1
  return /claude-(opus-(4-[7-9]|[5-9])|(sonnet|haiku)-[5-9]|fable|mythos)/.test(name) ? newClaudeFactor : claudeFactor
}

/** Counting a word takes the square of its length, and a plan has two seconds for all. */
const reckoned = (text: string, counter: (text: string) => number): number => {
  if (text.length <= charactersMax) return counter(text)
  const size = charactersMax / partsMax
  const stride = (text.length - size) / (partsMax - 1)
  const parts = Array.from({ length: partsMax }, (_, index) => text.slice(Math.floor(index * stride), Math.floor(index * stride) + size))
  return (parts.reduce((sum, part) => sum + counter(part), 0) / charactersMax) * text.length
}
