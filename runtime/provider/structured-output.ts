/** A step's output schema in each dialect of structured output, and the way back from what a model answers. */
import * as AnthropicStructuredOutput from "effect/ai/AnthropicStructuredOutput"
import * as OpenAiStructuredOutput from "effect/ai/OpenAiStructuredOutput"
import * as Schema from "effect/Schema"

import type { Model, PlainSchema } from "../../dsl/index.ts"

export interface StructuredOutput {
  /** For the provider: may be laxer than the schema, and then `decode` is stricter. */
  readonly jsonSchema: unknown
  /** `jsonSchema` as text, made once: part of every request. */
  readonly text: string
  /** Reads the JSON value that a model answered; throws where it doesn't fit. */
  readonly decode: (json: unknown) => unknown
}

type Dialect = "openai" | "anthropic" | "local"

const known: Record<Dialect, WeakMap<PlainSchema, StructuredOutput>> = {
  openai: new WeakMap(),
  anthropic: new WeakMap(),
  local: new WeakMap()
}

/** Throws a sentence where the provider can't be told of such a schema. Worked out once a schema and dialect. */
export const structuredOutput = (schema: PlainSchema, engine: Model["engine"]): StructuredOutput => {
  const dialect: Dialect = engine === "local" ? "local" : engine === "anthropic" ? "anthropic" : "openai"
  const found = known[dialect].get(schema)
  if (found !== undefined) return found
  const { codec, jsonSchema } = fitted(schema, dialect)
  const made = { jsonSchema, text: JSON.stringify(jsonSchema), decode: Schema.decodeUnknownSync(codec) }
  known[dialect].set(schema, made)
  return made
}

const fitted = (schema: PlainSchema, dialect: Dialect) => {
  if (dialect === "local") return { codec: Schema.toCodecJson(schema), jsonSchema: Schema.toJsonSchemaDocument(schema).schema }
  return dialect === "anthropic" ? AnthropicStructuredOutput.toCodecAnthropic(schema) : OpenAiStructuredOutput.toCodecOpenAI(schema)
}
