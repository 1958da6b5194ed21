/** The models that the fake knows by name, with the public list prices of November 2026 in US dollars for a million tokens. */

export interface ModelCard {
  /** What answers say their model is: the dated snapshot behind the alias. */
  readonly snapshot: string
  readonly inputUsd: number
  readonly outputUsd: number
  readonly cacheReadUsd: number
  readonly cacheWrite5mUsd: number
  readonly cacheWrite1hUsd: number
  /** The shortest prefix that is cached. */
  readonly cacheMinTokens: number
  /** Above so many input tokens the whole request costs more. */
  readonly long?: { readonly aboveTokens: number; readonly inputFactor: number; readonly outputFactor: number }
}

const openai = (snapshot: string, inputUsd: number, cacheReadUsd: number, outputUsd: number): ModelCard => ({
  snapshot,
  inputUsd,
  outputUsd,
  cacheReadUsd,
  cacheWrite5mUsd: inputUsd,
  cacheWrite1hUsd: inputUsd,
  cacheMinTokens: 1024
})

const anthropic = (snapshot: string, inputUsd: number, outputUsd: number, cacheMinTokens: number): ModelCard => ({
  snapshot,
  inputUsd,
  outputUsd,
  cacheReadUsd: inputUsd * 0.1,
  cacheWrite5mUsd: inputUsd * 1.25,
  cacheWrite1hUsd: inputUsd * 2,
  cacheMinTokens
})

const cards: Readonly<Record<string, ModelCard>> = {
  "gpt-5-mini": openai("gpt-5-mini-2025-08-07", 0.25, 0.025, 2),
  "gpt-5-nano": openai("gpt-5-nano-2025-08-07", 0.05, 0.005, 0.4),
  "gpt-4.1-mini": openai("gpt-4.1-mini-2025-04-14", 0.4, 0.1, 1.6),
  "claude-haiku-4-5": anthropic("claude-haiku-4-5-20251001", 1, 5, 4096),
  "claude-sonnet-4-5": {
    ...anthropic("claude-sonnet-4-5-20250929", 3, 15, 1024),
    long: { aboveTokens: 200_000, inputFactor: 2, outputFactor: 1.5 }
  }
}

const bySnapshot = new Map(Object.values(cards).map((card) => [card.snapshot, card]))

/** By alias or by snapshot; undefined for a model without a list price. */
export const cardOf = (model: string): ModelCard | undefined => cards[model] ?? bySnapshot.get(model)

/** What the model list says. */
export const knownModels: ReadonlyArray<string> = Object.keys(cards)

/** Tokens of one answer, in one form for both dialects. */
export interface Tokens {
  /** Everything read: cached, written to a cache, or neither. */
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite5m: number
  readonly cacheWrite1h: number
  /** Everything written, reasoning included. */
  readonly output: number
  readonly reasoning: number
}

/** What a batch costs of the list price. */
const batchFactor = 0.5

/** Null where no price is known. */
export const usdOf = (model: string, tokens: Tokens, isBatch: boolean): number | null => {
  const card = cardOf(model)
  if (card === undefined) return null
  const isLong = card.long !== undefined && tokens.input > card.long.aboveTokens
  const inputFactor = isLong ? card.long.inputFactor : 1
  const outputFactor = isLong ? card.long.outputFactor : 1
  const fresh = tokens.input - tokens.cacheRead - tokens.cacheWrite5m - tokens.cacheWrite1h
  const inputUsd =
    fresh * card.inputUsd +
    tokens.cacheRead * card.cacheReadUsd +
    tokens.cacheWrite5m * card.cacheWrite5mUsd +
    tokens.cacheWrite1h * card.cacheWrite1hUsd
  return ((inputUsd * inputFactor + tokens.output * card.outputUsd * outputFactor) * (isBatch ? batchFactor : 1)) / 1e6
}
