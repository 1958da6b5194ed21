/** Who answers: one service over every engine. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { JsonSchema, Model, ModelMessage } from "../../dsl/index.ts"

export interface CallRequest {
  readonly model: Model
  readonly messages: ReadonlyArray<ModelMessage>
  /** Which try of the item this is, from 1. */
  readonly attempt: number
  readonly schema: JsonSchema
  readonly maxTokens: number | null
  readonly temperature: number | null
}

export interface Reply {
  /** A JSON value that the step's schema may decode. */
  readonly output: unknown
  /** What the model said, where it isn't just `output` as JSON. */
  readonly raw: string | null
  readonly modelVersion: string
  readonly inputTokens: number
  readonly outputTokens: number
  /** 0 for an embedded model; null where no price is known. */
  readonly costUsd: number | null
}

/** Why a call gave no reply. `code` goes to the metadata, `detail` only to the payload. */
export class ProviderError extends Schema.TaggedError<ProviderError>()("ProviderError", {
  code: Schema.Literals(["model-failed", "not-json"]),
  model: Schema.String,
  detail: Schema.String,
  /** What came instead of an answer, where something came. */
  raw: Schema.NullOr(Schema.String)
}) {
  get isRetryable(): boolean {
    return true
  }
  override get message(): string {
    return this.code === "not-json"
      ? `Model ${this.model} answered with text that is no JSON: ${this.detail}`
      : `Model ${this.model} failed: ${this.detail}`
  }
}

export class Provider extends Context.Service<
  Provider,
  {
    readonly call: (request: CallRequest) => Effect.Effect<Reply, ProviderError>
  }
>()("nightshift/Provider") {}
