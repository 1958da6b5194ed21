/** One request for an answer, in one form for all dialects. */
import { compileAnswer, type Material } from "./schema-answer.ts"
import { schemaProblem } from "./schema-rules.ts"
import { hashOf } from "./chance.ts"
import type { Cached, PromptCache } from "./prompt-cache.ts"
import type { Problem, Vendor } from "./problem.ts"

/** A JSON object of unknown contents. */
export type Json = Readonly<Record<string, unknown>>

export const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** A schema seen before: what fits it, and what it costs to read. */
export interface KnownSchema {
  readonly problem: string | undefined
  readonly write: (material: Material) => string
  readonly tokens: number
  /** The request's format object as JSON text: responses repeat it. */
  readonly echo: string
}

export interface Question {
  readonly model: string
  /** Hash of model and prompt. */
  readonly item: number
  /** All of the prompt's text. */
  readonly prompt: string
  /** The last message's text: what answers quote. */
  readonly text: string
  readonly schema: KnownSchema | null
  /** JSON is wanted, of no certain shape. */
  readonly isJsonMode: boolean
  readonly maxTokens: number | null
  readonly inputTokens: number
  readonly cached: (cache: PromptCache, minTokens: number) => Cached
  /** What a response repeats of its request, as JSON text by field. */
  readonly echo: { readonly instructions: string; readonly text: string }
}

/** What a dialect answers. */
export interface Answer {
  readonly id: string
  readonly created: number
  readonly snapshot: string
  readonly text: string
  readonly end: "stop" | "length" | "refusal" | "filter" | "empty-reasoning" | "no-choices"
  readonly input: number
  readonly output: number
  readonly reasoning: number
  readonly cached: Cached
  readonly isBatch: boolean
}

export interface Dialect {
  readonly path: string
  readonly vendor: Vendor
  readonly idPrefix: string
  readonly read: (body: Json, schemas: SchemaCache) => Question | Problem
  readonly render: (question: Question, answer: Answer) => string
}

export const isProblem = (value: Question | Problem): value is Problem => "status" in value

export const tokensOf = (chars: number): number => Math.ceil(chars / 4)

/** Schemas by the text of their format, so that each is checked and compiled once. */
export class SchemaCache {
  readonly #known = new Map<string, KnownSchema>()

  get(vendor: Vendor, format: Json, schema: unknown, isStrict: boolean): KnownSchema {
    const echo = JSON.stringify(format)
    const known = this.#known.get(echo)
    if (known !== undefined) return known
    const made = { ...this.#make(vendor, schema, isStrict), tokens: tokensOf(JSON.stringify(schema ?? null).length), echo }
    this.#known.set(echo, made)
    return made
  }

  #make(vendor: Vendor, schema: unknown, isStrict: boolean): Pick<KnownSchema, "problem" | "write"> {
    const problem = isStrict ? schemaProblem(vendor, schema) : undefined
    if (problem !== undefined || !isJson(schema)) return { problem: problem ?? "schema must be an object", write: () => "{}" }
    try {
      return { problem: undefined, write: compileAnswer(schema) }
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error), write: () => "{}" }
    }
  }
}

/** The text of a message's content: a string, or the `text` of its parts. Undefined where it is neither. */
export const textOf = (content: unknown): string | undefined => {
  if (typeof content === "string") return content
  if (!Array.isArray(content)) return undefined
  let text = ""
  for (const part of content) if (isJson(part) && typeof part["text"] === "string") text += part["text"]
  return text
}

/** The hash that makes an item: equal whatever the tier, the limits and the schema. */
export const itemOf = (model: string, prompt: string): number => hashOf(`${model} ${prompt}`)

export const invalid = (message: string, param?: string, code?: string): Problem => ({
  status: 400,
  message,
  ...(param === undefined ? {} : { param }),
  ...(code === undefined ? {} : { code })
})
