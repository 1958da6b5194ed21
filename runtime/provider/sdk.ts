/** The providers' own SDKs: for files, batches and lists, never for the hot path. Without their retries. */
import type Anthropic from "@anthropic-ai/sdk"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type OpenAI from "openai"

import type { Model } from "../../dsl/index.ts"
import type { Accounts } from "./accounts.ts"
import { refusalOf } from "./http-reason.ts"
import { providerError, ProviderError } from "./provider-error.ts"

/** Loaded when the first batch needs it. A client a call: the key may have been rotated. */
export const openAiClient = (accounts: Accounts["Service"], model: Model): Effect.Effect<OpenAI> =>
  Effect.map(
    Effect.promise(() => import("openai")),
    ({ default: Client }) => {
      const { key, baseUrl, timeoutMs } = accounts.of(model)
      return new Client({ apiKey: key === null ? "" : Redacted.value(key), baseURL: baseUrl, timeout: timeoutMs, maxRetries: 0 })
    }
  )

export const anthropicClient = (accounts: Accounts["Service"], model: Model): Effect.Effect<Anthropic> =>
  Effect.map(
    Effect.promise(() => import("@anthropic-ai/sdk")),
    ({ default: Client }) => {
      const { key, baseUrl, timeoutMs } = accounts.of(model)
      return new Client({ apiKey: key === null ? "" : Redacted.value(key), baseURL: baseUrl, timeout: timeoutMs, maxRetries: 0 })
    }
  )

/** Calls a client; an interruption aborts the request. */
export const callSdk = <C, A>(
  client: Effect.Effect<C>,
  model: Model,
  call: (client: C, signal: AbortSignal) => Promise<A>
): Effect.Effect<A, ProviderError> =>
  Effect.flatMap(client, (made) => Effect.tryPromise({ try: (signal) => call(made, signal), catch: (cause) => sdkError(model, cause) }))

/** What an SDK threw, as one of our reasons. */
export const sdkError = ({ name, account }: Model, cause: unknown): ProviderError => {
  const place = { model: name, account }
  if (cause instanceof ProviderError) return cause
  const thrown = cause instanceof Error ? cause : new Error(String(cause))
  const status = "status" in thrown && typeof thrown.status === "number" ? thrown.status : null
  if (status !== null) {
    const body = "error" in thrown ? thrown.error : undefined
    // OpenAI's SDK unwraps the body's `error`, Anthropic's doesn't.
    const wrapped = typeof body === "object" && body !== null && "error" in body ? body : { error: body ?? { message: thrown.message } }
    return providerError({ ...place, ...refusalOf(status, wrapped), status })
  }
  const isTimeout = /timed? ?out/i.test(`${thrown.constructor.name} ${thrown.message}`)
  const inner = thrown.cause instanceof Error ? `: ${thrown.cause.message}` : ""
  return providerError({ ...place, reason: isTimeout ? "timeout" : "connection", detail: `${thrown.message}${inner}` })
}
