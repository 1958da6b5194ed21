/** One request, and one result, as a line of OpenAI's batch files. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Model } from "../../dsl/index.ts"
import { fieldsOf, textOf, type Dialect } from "./dialect.ts"
import { refusalOf } from "./http-reason.ts"
import { openAiChat } from "./openai-chat.ts"
import { openAiResponses } from "./openai-responses.ts"
import type { CallRequest, Reply } from "./provider.ts"
import { providerError, type ProviderError } from "./provider-error.ts"
import { jsonOf, replyOf } from "./remote.ts"

/** What a batch of the model asks, and how. */
export const openAiEndpoint = ({
  api
}: Pick<Model, "api">): { readonly path: "/v1/chat/completions" | "/v1/responses"; readonly dialect: Dialect } =>
  api === "chat" ? { path: "/v1/chat/completions", dialect: openAiChat } : { path: "/v1/responses", dialect: openAiResponses }

export const openAiLine = (request: CallRequest, customId: string): string => {
  const { path, dialect } = openAiEndpoint(request.model)
  return `{"custom_id":${JSON.stringify(customId)},"method":"POST","url":"${path}","body":${dialect.body(request, "batch")}}`
}

/** What a line of either file says, judged by itself: `error: null` is no success, only a 2xx with a completion in its body is (case 5). */
export const openAiReply = (model: Model, body: string): Effect.Effect<Reply, ProviderError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const line = fieldsOf(jsonOf(body))
    const response = fieldsOf(line["response"])
    const { status_code: status } = response
    if (typeof status === "number") {
      const { dialect } = openAiEndpoint(model)
      return replyOf(model, dialect, { status, json: response["body"], text: () => body, signals: null, tier: "batch", at: new Date(now) })
    }
    return Effect.fail(
      providerError({ model: model.name, account: model.account, raw: body.slice(0, 65_536), ...unasked(fieldsOf(line["error"])) })
    )
  })

/** Why a request never became one. */
const unasked = (error: Readonly<Record<string, unknown>>): Pick<ProviderError, "reason" | "detail"> => {
  const code = textOf(error["code"]) ?? ""
  if (/^(batch_)?(expired|cancell?ed)$/.test(code)) return { reason: "unprocessed", detail: code }
  if (code === "" && textOf(error["message"]) === null)
    return { reason: "no-answer", detail: "the line holds neither a response nor an error" }
  return refusalOf(null, { error })
}
