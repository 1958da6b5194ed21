/** One request and one result of Anthropic's batches, and what is said of a batch as a whole. */
import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Model } from "../../dsl/index.ts"
import { anthropicMessages } from "./anthropic-messages.ts"
import type { BatchState } from "./batch-provider.ts"
import { fieldsOf, textOf } from "./dialect.ts"
import { refusalOf } from "./http-reason.ts"
import type { CallRequest, Reply } from "./provider.ts"
import { providerError, type ProviderError } from "./provider-error.ts"
import { jsonOf, replyOf } from "./remote.ts"

export const anthropicLine = (request: CallRequest, customId: string): string =>
  `{"custom_id":${JSON.stringify(customId)},"params":${anthropicMessages.body(request, "batch")}}`

/** Nothing fails as a whole here: each line says what became of it. */
export const anthropicBatchState = ({ id, processing_status, request_counts }: MessageBatch): BatchState => {
  const { succeeded = 0, errored = 0, canceled = 0, expired = 0 } = request_counts ?? {}
  const isEnded = processing_status === "ended"
  const outcome = expired > 0 ? "expired" : canceled > 0 ? "cancelled" : "completed"
  return {
    providerBatch: id,
    status: isEnded ? "ended" : "live",
    outcome: isEnded ? outcome : processing_status,
    failure: null,
    completed: succeeded,
    failed: errored + canceled + expired,
    files: []
  }
}

/** Null where it isn't said. */
export const requestsIn = ({ request_counts }: MessageBatch): number | null => {
  const counts: ReadonlyArray<unknown> = Object.values(fieldsOf(request_counts))
  return counts.length === 0 ? null : counts.reduce<number>((sum, count) => sum + (typeof count === "number" ? count : 0), 0)
}

/** The statuses that the error types of a line stand for. */
const statusOfType: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529
}

/** What a line says: a message, an error, or that it never came to it. */
export const anthropicReply = (model: Model, body: string): Effect.Effect<Reply, ProviderError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const result = fieldsOf(fieldsOf(jsonOf(body))["result"])
    const place = { model: model.name, account: model.account, raw: body.slice(0, 65_536) }
    switch (result["type"]) {
      case "succeeded": {
        const json = result["message"]
        return replyOf(model, anthropicMessages, { status: 200, json, text: () => body, signals: null, tier: "batch", at: new Date(now) })
      }
      case "expired":
      case "canceled":
        return Effect.fail(providerError({ ...place, reason: "unprocessed", detail: result["type"] }))
      case "errored": {
        const type = textOf(fieldsOf(fieldsOf(result["error"])["error"])["type"]) ?? ""
        // An error of a kind that we don't know may pass.
        const status = statusOfType[type] ?? 500
        return Effect.fail(providerError({ ...place, ...refusalOf(status, result["error"]), status }))
      }
      default:
        return Effect.fail(providerError({ ...place, reason: "no-answer", detail: "the line holds no result that is known" }))
    }
  })
