/** Who answers: one service over every engine, in real time. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

import type { Model, ModelMessage, PlainSchema } from "../../dsl/index.ts"
import type { LimitSignals, ProviderError } from "./provider-error.ts"
import type { Usage } from "./usage.ts"

export interface CallRequest {
  readonly model: Model
  readonly messages: ReadonlyArray<ModelMessage>
  /** Which try of the item this is, from 1. */
  readonly attempt: number
  /** What the answer must fit. */
  readonly output: PlainSchema
  readonly maxTokens: number | null
  readonly temperature: number | null
}

export interface Reply {
  /** A JSON value in the wire shape of the engine's dialect: `structuredOutput(schema, engine).decode` reads it. */
  readonly output: unknown
  /** What the model said, where it isn't just `output` as JSON. */
  readonly raw: string | null
  /** Whether the JSON had to be taken out of a fence or of prose (case 25). */
  readonly repaired: boolean
  readonly modelVersion: string
  readonly usage: Usage
  /** 0 for an embedded model; null where no price is known. */
  readonly costUsd: number | null
  readonly signals: LimitSignals | null
}

export class Provider extends Context.Service<
  Provider,
  {
    /** One call, no retry. Interruption closes the socket. */
    readonly call: (request: CallRequest) => Effect.Effect<Reply, ProviderError>
  }
>()("nightshift/Provider") {}
