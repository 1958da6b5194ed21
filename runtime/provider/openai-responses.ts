/** OpenAI's Responses API. */
import type { Response } from "openai/resources/responses/responses"

import { countOf, fieldsOf, furtherFields, listOf, noAnswer, textOf, type Dialect } from "./dialect.ts"
import { bearer, cutOff, emptyReason } from "./openai-chat.ts"
import { structuredOutput } from "./structured-output.ts"
import type { Usage } from "./usage.ts"

type IncompleteReason = NonNullable<Response.IncompleteDetails["reason"]>

export const openAiResponses: Dialect = {
  path: "/responses",
  limits: "openai",
  headers: bearer,
  // `store: false`: the provider keeps nothing of an item that it needn't.
  body: ({ model, messages, output, maxTokens, temperature }) =>
    `{"model":${JSON.stringify(model.name)},"input":[${messages
      .map(({ role, text }) => `{"role":"${role}","content":${JSON.stringify(text)}}`)
      .join(",")}],"text":{"format":{"type":"json_schema","name":"answer","strict":true,"schema":${
      structuredOutput(output, model.engine).text
    }}},"store":false${maxTokens === null ? "" : `,"max_output_tokens":${maxTokens}`}${
      temperature === null ? "" : `,"temperature":${temperature}`
    }${furtherFields(model)}}`,
  read: (json) => {
    const reply = fieldsOf(json)
    const paid = { modelVersion: textOf(reply["model"]), usage: usageOf(reply["usage"]) }
    if (!Array.isArray(reply["output"])) return { ...noAnswer(json, "the reply has no output"), usage: paid.usage }
    let text = ""
    let refusal: string | null = null
    for (const content of listOf(reply["output"])
      .flatMap((item) => listOf(fieldsOf(item)["content"]))
      .map(fieldsOf)) {
      if (content["type"] === "output_text") text += textOf(content["text"]) ?? ""
      if (content["type"] === "refusal") refusal = textOf(content["refusal"]) ?? "refused"
    }
    if (refusal !== null) return { ...paid, kind: "failed", reason: "refused", detail: refusal }
    if (reply["status"] === "incomplete") {
      // One of the API's own words.
      const reason = fieldsOf(reply["incomplete_details"])["reason"] as IncompleteReason | undefined
      if (reason === "content_filter")
        return { ...paid, kind: "failed", reason: "filtered", detail: "incomplete because of content_filter" }
      return cutOff(paid, text)
    }
    if (reply["status"] === "failed") return { ...noAnswer(json, "the response failed"), usage: paid.usage }
    if (text === "") return { ...paid, kind: "failed", reason: emptyReason(paid.usage), detail: "nothing was said" }
    return { ...paid, kind: "text", text }
  }
}

const usageOf = (value: unknown): Usage => {
  const usage = fieldsOf(value)
  return {
    inputTokens: countOf(usage["input_tokens"]),
    cacheReadTokens: countOf(fieldsOf(usage["input_tokens_details"])["cached_tokens"]),
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: countOf(usage["output_tokens"]),
    reasoningTokens: countOf(fieldsOf(usage["output_tokens_details"])["reasoning_tokens"])
  }
}
