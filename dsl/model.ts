/** Models are values: which engine, which account, which tier. */
import type { Classification } from "./classification.ts"
import type { Eventually, Services } from "./step.ts"
import type { Data } from "./template.ts"

export type ModelTier = "realtime" | "batch" | "auto"

/** One rendered message, as an embedded model sees it. */
export interface ModelMessage {
  readonly role: "system" | "user"
  /** The whole text, data delimited. */
  readonly text: string
  /** The values that stand in the template's holes, in order. */
  readonly data: ReadonlyArray<Data>
}

/** What an embedded model answers from. */
export interface ModelRequest {
  readonly messages: ReadonlyArray<ModelMessage>
  /** The data of all messages, in order: what most functions compute on. */
  readonly data: ReadonlyArray<Data>
  /** Which try this is, from 1. */
  readonly attempt: number
}

/** A function of the author's own as a model. Returns what the step's schema decodes, or JSON text. */
export type LocalFunction = (request: ModelRequest) => Eventually<unknown>

/** US dollars for a million tokens: what an author pays where the price table is wrong or silent. */
export interface Price {
  readonly inputUsd: number
  readonly outputUsd: number
  /** Input read from the provider's cache. Default: as `inputUsd`. */
  readonly cacheReadUsd?: number
  /** Input written to the provider's cache for five minutes. Default: as `inputUsd`, and 1.25 times that on Anthropic, where an hour costs 1.6 times as much as five minutes. */
  readonly cacheWriteUsd?: number
  /** What the batch tier's price is multiplied by. Default 0.5. */
  readonly batchFactor?: number
}

/** OpenAI's two ways to ask: `responses` (the default), or `chat` for models and servers that know only Chat Completions. */
export type OpenAiApi = "responses" | "chat"

interface ModelOptions {
  /** Whose credential and rate limits are used. Keys are looked up by this name at start, never written in a module. */
  readonly account: string
  /** Default `"realtime"`. `"batch"` costs half and may take a day; `"auto"` takes batch when the deadline allows it. */
  readonly tier?: ModelTier
  /** Items a minute that one worker gets through: sizes partitions and workers until a run has measured it. */
  readonly itemsPerMinute?: number
  /** Default: the maintained price table's. A model without either is refused by a run with a budget. */
  readonly price?: Price
  /** Where the data is processed, in the provider's own words (`eu`, `us-east-1`); a job with `regions` takes only models that name one of them. */
  readonly region?: string
  /** The most sensitive data that may be sent there. Default `"internal"`: a job of confidential or restricted data needs it said. */
  readonly approvedFor?: Classification
  /** Further fields of the provider's request, such as `{ reasoning: { effort: "low" } }`: sent as they are, part of every digest. */
  readonly parameters?: Readonly<Record<string, unknown>>
}

declare const needs: unique symbol

/** `R` collects the services that an embedded model's Effects need. */
export interface Model<out R = never> {
  readonly engine: "local" | "openai" | "anthropic" | "openai-compatible"
  readonly name: string
  readonly tier: ModelTier
  readonly account: string
  /** `openai-compatible` only: where the server listens. */
  readonly baseUrl?: string
  readonly itemsPerMinute?: number
  /** `openai` only. */
  readonly api?: OpenAiApi
  readonly price?: Price
  readonly region?: string
  readonly approvedFor?: Classification
  readonly parameters?: Readonly<Record<string, unknown>>
  /** `local` only. */
  readonly answer?: LocalFunction
  /** `local` only: what `model_version` says. Default: a digest of the function's source text. */
  readonly version?: string
  /** For the compiler only. */
  readonly [needs]?: R
}

interface LocalOptions {
  readonly version?: string
  readonly itemsPerMinute?: number
}

/** An embedded model: a function of your own. It costs nothing and runs in the run's process. */
export const local = <F extends LocalFunction>(
  name: string,
  answer: F & LocalFunction,
  options: LocalOptions = {}
): Model<Services<F>> => ({
  engine: "local",
  name,
  tier: "realtime",
  account: "local",
  answer,
  ...options
})

/** A model of OpenAI's API. */
export const openai = (name: string, options: ModelOptions & { readonly api?: OpenAiApi }): Model => ({
  engine: "openai",
  name,
  tier: "realtime",
  api: "responses",
  ...options
})

/** A model of Anthropic's API. */
export const anthropic = (name: string, options: ModelOptions): Model => ({ engine: "anthropic", name, tier: "realtime", ...options })

/** A model behind any server that speaks OpenAI's dialect (vLLM, Ollama). */
export const openaiCompatible = (name: string, options: ModelOptions & { readonly baseUrl: string }): Model => ({
  engine: "openai-compatible",
  name,
  tier: "realtime",
  ...options
})

/** Cheapest first; each next model sees only what `accept` refused. */
export type Cascade = readonly [Model<any>, Model<any>, ...ReadonlyArray<Model<any>>]

/** The services that a model, or any model of a cascade, needs. */
export type ModelServices<M> = M extends Model<infer R> ? R : M extends ReadonlyArray<Model<infer R>> ? R : never

/** The checkpointed step of each of an infer's models. */
export const modelSteps = (name: string, models: ReadonlyArray<Model>): ReadonlyArray<string> =>
  models.length === 1 ? [name] : models.map((model, index) => `${name}_${index + 1}_${model.name.replaceAll(/[^A-Za-z0-9]+/g, "_")}`)
