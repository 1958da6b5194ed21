/** Chat Completions: OpenAI's older API, and what every compatible server (vLLM, Ollama) speaks. */
import type { ChatCompletion } from "openai/resources/chat/completions"

import { countOf, fieldsOf, furtherFields, listOf, noAnswer, textOf, type Dialect, type ReadReply } from "./dialect.ts"
import { structuredOutput } from "./structured-output.ts"
import type { Usage } from "./usage.ts"

type FinishReason = ChatCompletion.Choice["finish_reason"]

/** `limit` is the field that bounds the answer: servers other than OpenAI's know only the older one. */
const chat = (path: string, limit: "max_completion_tokens" | "max_tokens"): Dialect => ({
  path,
  limits: "openai",
  headers: (key) => bearer(key),
  body: ({ model, messages, output, maxTokens, temperature }) =>
    // Written as text: the schema's part is the same for every item of a step, and stringifying it each time costs more than the rest.
    `{"model":${JSON.stringify(model.name)},"messages":[${messages
      .map(({ role, text }) => `{"role":"${role}","content":${JSON.stringify(text)}}`)
      .join(",")}],"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":${
      structuredOutput(output, model.engine).text
    }}}${maxTokens === null ? "" : `,"${limit}":${maxTokens}`}${temperature === null ? "" : `,"temperature":${temperature}`}${furtherFields(model)}}`,
  read: readChat
})

/** The headers of OpenAI and its like. */
export const bearer = (key: string | null): Readonly<Record<string, string>> =>
  key === null ? { "content-type": "application/json" } : { "content-type": "application/json", authorization: `Bearer ${key}` }

const readChat = (json: unknown): ReadReply => {
  const reply = fieldsOf(json)
  const choice = fieldsOf(listOf(reply["choices"])[0])
  const message = fieldsOf(choice["message"])
  const paid = { modelVersion: textOf(reply["model"]), usage: usageOf(reply["usage"]) }
  if (choice["message"] === undefined) return { ...noAnswer(json, "the list of choices is empty"), usage: paid.usage }
  const content = textOf(message["content"]) ?? ""
  const refusal = textOf(message["refusal"])
  // What finished it is one of the API's own words.
  const finish = choice["finish_reason"] as FinishReason | undefined
  if (refusal !== null && refusal !== "") return { ...paid, kind: "failed", reason: "refused", detail: refusal }
  if (finish === "content_filter") return { ...paid, kind: "failed", reason: "filtered", detail: "finish_reason is content_filter" }
  if (finish === "length") return cutOff(paid, content)
  if (content === "") return { ...paid, kind: "failed", reason: emptyReason(paid.usage), detail: "the message is empty" }
  return { ...paid, kind: "text", text: content }
}

/** An answer that met its bound: nothing said at all means that reasoning took it (case 27). */
export const cutOff = (paid: Pick<ReadReply, "modelVersion" | "usage">, text: string): ReadReply => ({
  ...paid,
  kind: "failed",
  reason: text === "" && paid.usage.reasoningTokens > 0 ? "empty-after-reasoning" : "truncated",
  detail: text === "" ? `${paid.usage.reasoningTokens} of ${paid.usage.outputTokens} tokens were reasoning` : text.slice(0, 2_000)
})

/** Why nothing was said. */
export const emptyReason = ({ reasoningTokens }: Usage): "empty-after-reasoning" | "no-answer" =>
  reasoningTokens > 0 ? "empty-after-reasoning" : "no-answer"

const usageOf = (value: unknown): Usage => {
  const usage = fieldsOf(value)
  return {
    inputTokens: countOf(usage["prompt_tokens"]),
    cacheReadTokens: countOf(fieldsOf(usage["prompt_tokens_details"])["cached_tokens"]),
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: countOf(usage["completion_tokens"]),
    reasoningTokens: countOf(fieldsOf(usage["completion_tokens_details"])["reasoning_tokens"])
  }
}

export const openAiChat = chat("/chat/completions", "max_completion_tokens")
export const compatibleChat = chat("/chat/completions", "max_tokens")
