/** What calls cost: the author's own price of a model, or the maintained price table's. */
import { createRequire } from "node:module"

import type { ModelPrice as ModelPriceOfTable } from "@pydantic/genai-prices"

import type { Model, Price } from "../../dsl/index.ts"
import { noUsage, type Usage } from "./usage.ts"

/** US dollars for a million tokens, once a prompt has more than `above` tokens. */
export interface PriceBand {
  readonly above: number
  readonly inputUsd: number
  readonly cacheReadUsd: number
  readonly cacheWrite5mUsd: number
  readonly cacheWrite1hUsd: number
  readonly outputUsd: number
}

export interface ModelPrice {
  readonly source: "embedded" | "author" | "table"
  /** Dearer bands for longer prompts come first; the last one is for every prompt. */
  readonly bands: readonly [PriceBand, ...ReadonlyArray<PriceBand>]
  /** What all of it is multiplied by in the batch tier. */
  readonly batchFactor: number
}

export type PricedTier = "realtime" | "batch"

/** Both providers sell their batch tier at half, and the table knows nothing of it. */
const batchFactorDefault = 0.5
/** Anthropic's published factors on the price of input, for models where nothing more exact is known. */
const anthropicWrite = { fiveMinutes: 1.25, hour: 2 } as const

/** What one call costs by the provider's own count; null where no price is known, never 0. `at` picks the price of that moment. */
export const costUsd = (model: Model, usage: Usage, tier: PricedTier, at: Date): number | null => {
  const price = priceOf(model, at)
  return price === null ? null : usageUsd(bandOf(price, usage.inputTokens), usage) * factorOf(price, tier)
}

/** What the same call would cost in real time and without a cache: what savings are measured against. */
export const fullUsd = (model: Model, { inputTokens, outputTokens }: Usage, at: Date): number | null =>
  costUsd(model, { ...noUsage, inputTokens, outputTokens }, "realtime", at)

/** The most that a call may cost: all of its input at the dearest rate there is, and an answer of `maxTokens`. */
export const boundUsd = (model: Model, inputTokensBound: number, maxTokens: number, tier: PricedTier, at: Date): number | null => {
  const price = priceOf(model, at)
  if (price === null) return null
  // A prompt may be shorter than its bound, so every band up to it counts.
  const reached = price.bands.filter(({ above }) => above < inputTokensBound)
  const dearest = (reached.length === 0 ? price.bands.slice(-1) : reached).reduce(
    (most, band) => Math.max(most, inputTokensBound * dearestInput(band) + maxTokens * band.outputUsd),
    0
  )
  return (dearest / million) * factorOf(price, tier)
}

/** Of every message, for its role and its borders. */
const tokensAroundText = 16
/** Of every request: what a provider adds by itself, such as Anthropic's instructions for structured output (some 300 to 700). */
const tokensAroundRequest = 1_024

/**
 * More tokens than the provider can count for a request with these texts (messages, schema). OpenAI's vocabularies, and those of
 * the open models that other servers run, are of bytes: a token stands for at least one byte of UTF-8, so a text has at most as many
 * tokens as bytes. Anthropic's isn't published; it marks words and capitals beside the bytes, so each byte counts twice there.
 * Text beyond ASCII may be brought to its compatibility form before it is cut (one ligature of three bytes becomes 33), so the
 * longer of its two forms counts. Usual text has a token to four bytes, and the difference is given back when the call is settled.
 */
export const inputTokensBound = (texts: ReadonlyArray<string>, engine: Model["engine"]): number => {
  const tokensPerByte = engine === "anthropic" ? 2 : 1
  return texts.reduce((sum, text) => sum + bytesAtMost(text) * tokensPerByte + tokensAroundText, tokensAroundRequest)
}

/** The price at a moment; null where neither author nor table gives one. The first model that needs the table loads it (50 ms). */
export const priceOf = (model: Model, at: Date): ModelPrice | null => {
  const minute = Math.floor(at.getTime() / 60_000)
  const known = found.get(model)
  if (known !== undefined && known.minute === minute) return known.price
  const price = findPrice(model, at)
  found.set(model, { minute, price })
  return price
}

/** Prices of the table begin at dates and times of day, to the minute. */
const found = new WeakMap<Model, { readonly minute: number; readonly price: ModelPrice | null }>()

const findPrice = (model: Model, at: Date): ModelPrice | null => {
  if (model.engine === "local") return embedded
  if (model.price !== undefined) return ofAuthor(model, model.price)
  // Another server's model may well bear a name of the table's, and costs what its owner says.
  return model.engine === "openai-compatible" ? null : ofTable(model, model.engine, at)
}

const embedded: ModelPrice = {
  source: "embedded",
  bands: [{ above: -1, inputUsd: 0, cacheReadUsd: 0, cacheWrite5mUsd: 0, cacheWrite1hUsd: 0, outputUsd: 0 }],
  batchFactor: 1
}

const ofAuthor = ({ engine }: Model, { inputUsd, outputUsd, cacheReadUsd, cacheWriteUsd, batchFactor }: Price): ModelPrice => {
  const factors = engine === "anthropic" ? anthropicWrite : { fiveMinutes: 1, hour: 1 }
  const cacheWrite5mUsd = cacheWriteUsd ?? inputUsd * factors.fiveMinutes
  return {
    source: "author",
    bands: [
      {
        above: -1,
        inputUsd,
        cacheReadUsd: cacheReadUsd ?? inputUsd,
        cacheWrite5mUsd,
        cacheWrite1hUsd: cacheWrite5mUsd * (factors.hour / factors.fiveMinutes),
        outputUsd
      }
    ],
    batchFactor: batchFactor ?? batchFactorDefault
  }
}

type Table = typeof import("@pydantic/genai-prices")
type TableRate = ModelPriceOfTable[string]

let table: Table | undefined
/** Loaded when the first call of a priced model needs it: a run of embedded models never does. */
const loadTable = (): Table => (table ??= createRequire(import.meta.url)("@pydantic/genai-prices") as Table)

const ofTable = ({ name }: Model, providerId: "openai" | "anthropic", at: Date): ModelPrice | null => {
  const rates = loadTable().calcPrice({}, name, { providerId, timestamp: at })?.model_price
  const { input_mtok: input, output_mtok: output } = rates ?? {}
  // What is sold by the hour, or has no output, is no model that answers.
  if (rates === undefined || input === undefined || output === undefined) return null
  const { cache_read_mtok: read, cache_write_mtok: write, cache_write_1h_mtok: writeHour } = rates
  const factors = providerId === "anthropic" ? anthropicWrite : { fiveMinutes: 1, hour: 1 }
  const starts = new Set([input, output, read, write, writeHour].flatMap(startsOf))
  const bandAbove = (above: number): PriceBand => {
    const inputUsd = rateAbove(input, above)
    const cacheWrite5mUsd = write === undefined ? inputUsd * factors.fiveMinutes : rateAbove(write, above)
    return {
      above,
      inputUsd,
      cacheReadUsd: read === undefined ? inputUsd : rateAbove(read, above),
      cacheWrite5mUsd,
      cacheWrite1hUsd: writeHour === undefined ? cacheWrite5mUsd * (factors.hour / factors.fiveMinutes) : rateAbove(writeHour, above),
      outputUsd: rateAbove(output, above)
    }
  }
  const [longest = -1, ...shorter] = [...starts, -1].toSorted((a, b) => b - a)
  return { source: "table", bands: [bandAbove(longest), ...shorter.map(bandAbove)], batchFactor: batchFactorDefault }
}

const startsOf = (rate: TableRate): ReadonlyArray<number> => (typeof rate === "object" ? rate.tiers.map(({ start }) => start) : [])

const rateAbove = (rate: NonNullable<TableRate>, above: number): number =>
  typeof rate === "number"
    ? rate
    : rate.tiers.reduce((best, tier) => (tier.start <= above && tier.start >= best.start ? tier : best), { start: -1, price: rate.base })
        .price

const million = 1_000_000

const bandOf = ({ bands }: ModelPrice, inputTokens: number): PriceBand => bands.find(({ above }) => inputTokens > above) ?? bands[0]

const usageUsd = (band: PriceBand, usage: Usage): number => {
  const { inputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens, outputTokens } = usage
  const fresh = Math.max(0, inputTokens - cacheReadTokens - cacheWrite5mTokens - cacheWrite1hTokens)
  return (
    (fresh * band.inputUsd +
      cacheReadTokens * band.cacheReadUsd +
      cacheWrite5mTokens * band.cacheWrite5mUsd +
      cacheWrite1hTokens * band.cacheWrite1hUsd +
      outputTokens * band.outputUsd) /
    million
  )
}

const factorOf = ({ batchFactor }: ModelPrice, tier: PricedTier): number => (tier === "batch" ? batchFactor : 1)

const dearestInput = ({ inputUsd, cacheReadUsd, cacheWrite5mUsd, cacheWrite1hUsd }: PriceBand): number =>
  Math.max(inputUsd, cacheReadUsd, cacheWrite5mUsd, cacheWrite1hUsd)

const bytesAtMost = (text: string): number => {
  const bytes = Buffer.byteLength(text)
  return bytes === text.length ? bytes : Math.max(bytes, Buffer.byteLength(text.normalize("NFKC")))
}
