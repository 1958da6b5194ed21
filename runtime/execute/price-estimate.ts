/** What a run is expected to cost: the prompts of a few items, counted and scaled to all. Pure. */
import type { Model } from "../../dsl/index.ts"
import { costUsd, priceOf, type PricedTier } from "../provider/price.ts"
import { noUsage, type Usage } from "../provider/usage.ts"
import type { MeasuredUsage } from "../store/measured-usage.ts"
import { isRemote, modelsOf, type Graph } from "./graph.ts"
import type { PromptSize, PromptSizes } from "./prompt-sizes.ts"
import { autoTier } from "./tier.ts"
import { unpricedModels } from "./unknown-price.ts"

/** Of what a model's answer may be at most, until a run has measured it. */
const answerShare = { low: 0.1, likely: 0.5 } as const
/** Of the items that a cascade's model is given, those it passes on, until a run has measured it. */
const passedOnShare = 0.5

/** No provider caches a shorter beginning, in tokens; some want a longer one. */
const cachedFrom = 1_024

/** What one model is expected to cost at one step. */
export interface ModelEstimate {
  /** The checkpointed step of the model. */
  readonly step: string
  readonly model: string
  readonly tier: PricedTier
  readonly requests: number
  /** How many requests there will be hangs on answers: there may be fewer, or none. */
  readonly isUpTo: boolean
  readonly inputTokens: number
  readonly outputTokens: number
  /** Where the tokens are from: today's items, the last run, or other steps' prompts. */
  readonly input: "sampled" | "measured" | "reckoned" | "unknown"
  readonly output: "measured" | "assumed"
  readonly lowUsd: number | null
  readonly likelyUsd: number | null
  readonly highUsd: number | null
}

export interface PriceEstimate {
  /** Null where a price, the input or a prompt isn't known. Short answers, and all that prompts share read from the provider's cache. */
  readonly lowUsd: number | null
  readonly likelyUsd: number | null
  /** Every answer as long as `maxTokens` allows, every item at every model; without retries. */
  readonly highUsd: number | null
  readonly models: ReadonlyArray<ModelEstimate>
  /** Remote models that no price is known of. */
  readonly unpriced: ReadonlyArray<string>
  /** Items whose prompts were counted. */
  readonly sampled: number
  /** Why a figure is missing. */
  readonly unknown: ReadonlyArray<string>
}

export interface PriceOptions {
  readonly graph: Graph
  /** Of the whole input; null where it can't be told. */
  readonly items: number | null
  /** Null where the input wasn't read. */
  readonly prompts: PromptSizes | null
  readonly measured: MeasuredUsage | null
  /** Ms from a run's start to its deadline; null without one. */
  readonly withinMs: number | null
  /** Ms that all items would take in real time. */
  readonly realtimeMs: number
  /** Whose prices count. */
  readonly at: Date
}

export const priceEstimate = (options: PriceOptions): PriceEstimate => {
  const { graph, items, prompts, at } = options
  const unpriced = unpricedModels(graph, at)
  const nothing = { models: [], unpriced, sampled: prompts?.measured ?? 0 }
  if (!modelsOf(graph).some(isRemote) || items === 0) return { ...nothing, lowUsd: 0, likelyUsd: 0, highUsd: 0, unknown: [] }
  const none = { ...nothing, lowUsd: null, likelyUsd: null, highUsd: null }
  if (items === null || prompts === null) return { ...none, unknown: ["the input wasn't read"] }
  if (prompts.measured === 0) return { ...none, unknown: ["no prompt was made in time"] }
  const models = prompts.sizes.map((size) => modelEstimate(options, size, items, prompts))
  const reasons = [
    ...prompts.failures.map(({ step, reason }) => `the prompt of ${step} fails: ${reason}`),
    ...models
      .filter(({ input }) => input === "unknown")
      .map(({ step }) => `the prompt of ${step} reads answers, and no run has measured it`)
  ]
  const isKnown = reasons.length === 0 && unpriced.length === 0
  const total = (of: (model: ModelEstimate) => number | null): number | null =>
    isKnown ? models.reduce((sum, model) => sum + (of(model) ?? 0), 0) : null
  return {
    ...nothing,
    lowUsd: total(({ lowUsd }) => lowUsd),
    likelyUsd: total(({ likelyUsd }) => likelyUsd),
    highUsd: total(({ highUsd }) => highUsd),
    models,
    unknown: reasons
  }
}

const modelEstimate = (options: PriceOptions, size: PromptSize, items: number, prompts: PromptSizes): ModelEstimate => {
  const { model, maxTokens } = size
  const last = lastOf(options.measured, size)
  const tiers = tiersOf(options, model)
  const input = inputOf(size, prompts, last)
  const answers =
    last?.answer === undefined ? answersOf(maxTokens) : { low: last.answer, likely: last.answer, high: Math.max(maxTokens, last.answer) }
  const shares = sharesOf(size, prompts.measured, last)
  // Each call has a price of its own: a long prompt among short ones pays the long one's.
  const usd = (bound: "low" | "likely" | "high"): number | null => {
    if (input.from === "unknown" || priceOf(model, options.at) === null) return null
    const costs = input.tokens.map(
      (inputTokens) => costUsd(model, usageOf(inputTokens, answers[bound], cachedOf(size, bound, last)), tiers[bound], options.at) ?? 0
    )
    return mean(costs) * shares[bound] * items
  }
  const requests = Math.round(shares.likely * items)
  return {
    step: size.step,
    model: model.name,
    tier: tiers.likely,
    requests,
    isUpTo: last === null && isOpen(size),
    inputTokens: Math.round(mean(input.tokens) * requests),
    outputTokens: Math.round(answers.likely * requests),
    input: input.from,
    output: last?.answer === undefined ? "assumed" : "measured",
    lowUsd: usd("low"),
    likelyUsd: usd("likely"),
    highUsd: usd("high")
  }
}

/** What a provider's cache may take off: at best all that prompts begin with, at worst nothing; once a run has measured it, as much again. */
const cachedOf = ({ tokens, sharedTokens }: PromptSize, bound: keyof Bounds, last: LastRun | null): LastRun["cached"] => {
  if (bound === "high") return { read: 0, written: 0 }
  if (last !== null) return last.cached
  const length = mean(tokens ?? [])
  const isCached = bound === "low" && length > 0 && sharedTokens >= cachedFrom
  return { read: isCached ? Math.min(1, sharedTokens / length) : 0, written: 0 }
}

const usageOf = (inputTokens: number, outputTokens: number, { read, written }: LastRun["cached"]): Usage => ({
  ...noUsage,
  inputTokens,
  cacheReadTokens: inputTokens * read,
  cacheWrite5mTokens: inputTokens * written,
  outputTokens
})

interface LastRun {
  /** Requests an item. */
  readonly share: number
  /** Tokens a request; undefined where none was sent. */
  readonly prompt: number | undefined
  readonly answer: number | undefined
  /** Shares of the input tokens that were read from the provider's cache, and written to it. */
  readonly cached: { readonly read: number; readonly written: number }
}

/** The last run of the same model at the same step. */
const lastOf = (measured: MeasuredUsage | null, { step, model }: PromptSize): LastRun | null => {
  const found = measured?.steps.find((each) => each.step === step && each.model === model.name)
  if (measured === null || found === undefined || measured.items === 0) return null
  const { asked, calls, inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens } = found
  const ofInput = (tokens: number): number => (inputTokens === 0 ? 0 : tokens / inputTokens)
  return {
    share: asked / measured.items,
    prompt: calls === 0 ? undefined : inputTokens / calls,
    answer: calls === 0 ? undefined : outputTokens / calls,
    cached: { read: ofInput(cacheReadTokens), written: ofInput(cacheWriteTokens) }
  }
}

interface Bounds {
  readonly low: number
  readonly likely: number
  readonly high: number
}

const answersOf = (maxTokens: number): Bounds => ({
  low: maxTokens * answerShare.low,
  likely: maxTokens * answerShare.likely,
  high: maxTokens
})

/** How many requests there will be hangs on what models answer. */
const isOpen = ({ place, isFiltered }: PromptSize): boolean => place > 0 || isFiltered

/** Requests an item. */
const sharesOf = (size: PromptSize, measured: number, last: LastRun | null): Bounds => {
  const most = size.items / measured
  if (last !== null && isOpen(size)) return { low: last.share, likely: last.share, high: Math.max(most, last.share) }
  return { low: isOpen(size) ? 0 : most, likely: most * passedOnShare ** size.place, high: most }
}

const inputOf = (
  { infer, tokens }: PromptSize,
  { sizes }: PromptSizes,
  last: LastRun | null
): { readonly tokens: ReadonlyArray<number>; readonly from: ModelEstimate["input"] } => {
  if (tokens !== null) return { tokens, from: "sampled" }
  if (last?.prompt !== undefined) return { tokens: [last.prompt], from: "measured" }
  // The item again, and what the steps before it said of it at length.
  const direct = sizes.find((size) => size.tokens !== null && size.tokens.length > 0 && size.infer !== infer)
  if (direct === undefined) return { tokens: [], from: "unknown" }
  return { tokens: [mean(direct.tokens ?? []) + direct.maxTokens * answerShare.likely], from: "reckoned" }
}

const tiersOf = ({ withinMs, realtimeMs }: PriceOptions, { tier }: Model): Readonly<Record<keyof Bounds, PricedTier>> =>
  tier === "auto" ? { low: "batch", likely: autoTier(withinMs, realtimeMs), high: "realtime" } : { low: tier, likely: tier, high: tier }

const mean = (numbers: ReadonlyArray<number>): number =>
  numbers.length === 0 ? 0 : numbers.reduce((sum, number) => sum + number, 0) / numbers.length
