/** Anthropic's Messages API. */
import type { StopReason } from "@anthropic-ai/sdk/resources/messages/messages"

import type { ModelMessage } from "../../dsl/index.ts"
import { countOf, fieldsOf, furtherFields, listOf, noAnswer, textOf, type Dialect, type ReadReply } from "./dialect.ts"
import { cutOff, emptyReason } from "./openai-chat.ts"
import { structuredOutput } from "./structured-output.ts"
import type { Usage } from "./usage.ts"

/** Required by the API; an author's `maxTokens` is checked before a run, so this is for trying a step only. */
const maxTokensDefault = 4_096

/**
 * The shortest prefix that is cached, in tokens, by family (Anthropic's guide to prompt caching): asking for a shorter one to be
 * cached does nothing. Estimated at four characters a token.
 */
const cacheableTokens = (model: string): number =>
  /haiku-3-5|3-5-haiku/.test(model) ? 2_048 : /haiku-4-5|opus-4-[5-9]/.test(model) ? 4_096 : 1_024

export const anthropicMessages: Dialect = {
  path: "/v1/messages",
  limits: "anthropic",
  headers: (key) => ({
    "content-type": "application/json",
    "anthropic-version": "2023-06-01",
    ...(key === null ? {} : { "x-api-key": key })
  }),
  body: ({ model, messages, output, maxTokens, temperature }, tier) => {
    const system = messages.filter(({ role }) => role === "system")
    const said = messages.filter(({ role }) => role === "user")
    return `{"model":${JSON.stringify(model.name)},"max_tokens":${maxTokens ?? maxTokensDefault}${systemOf(system, model.name, tier)},"messages":[{"role":"user","content":[${said
      .map(({ text }) => `{"type":"text","text":${JSON.stringify(text)}}`)
      .join(",")}]}],"output_config":{"format":{"type":"json_schema","schema":${structuredOutput(output, model.engine).text}}}${
      temperature === null ? "" : `,"temperature":${temperature}`
    }${furtherFields(model)}}`
  },
  read: (json) => {
    const reply = fieldsOf(json)
    const usage = usageOf(reply["usage"])
    if (!Array.isArray(reply["content"])) return { ...noAnswer(json, "the reply has no content"), usage }
    const paid = { modelVersion: textOf(reply["model"]), usage }
    const text = listOf(reply["content"])
      .map(fieldsOf)
      .map((block) => (block["type"] === "text" ? (textOf(block["text"]) ?? "") : ""))
      .join("")
    // One of the API's own words.
    const stop = reply["stop_reason"] as StopReason | null | undefined
    if (stop === "refusal")
      return { ...paid, kind: "failed", reason: "refused", detail: text === "" ? "stop_reason is refusal" : text.slice(0, 2_000) }
    if (stop === "max_tokens") return cutOff(paid, text)
    if (stop === "model_context_window_exceeded")
      return { ...paid, kind: "failed", reason: "context-too-long", detail: "the model's context window is full" }
    if (text === "") return { ...paid, kind: "failed", reason: emptyReason(usage), detail: "nothing was said" }
    return { ...paid, kind: "text", text }
  }
} satisfies Dialect & { readonly read: (json: unknown) => ReadReply }

/** The instruction as blocks, the last of which ends the prefix that is cached where that pays. Items of a batch may be hours apart. */
const systemOf = (system: ReadonlyArray<ModelMessage>, model: string, tier: "realtime" | "batch"): string => {
  if (system.length === 0) return ""
  const characters = system.reduce((sum, { text }) => sum + text.length, 0)
  const cached =
    characters / 4 < cacheableTokens(model) ? "" : `,"cache_control":{"type":"ephemeral"${tier === "batch" ? ',"ttl":"1h"' : ""}}`
  const blocks = system.map(
    ({ text }, index) => `{"type":"text","text":${JSON.stringify(text)}${index === system.length - 1 ? cached : ""}}`
  )
  return `,"system":[${blocks.join(",")}]`
}

/** Anthropic counts what was read from and written to the cache beside the input (case 34). */
const usageOf = (value: unknown): Usage => {
  const usage = fieldsOf(value)
  const cacheReadTokens = countOf(usage["cache_read_input_tokens"])
  const writes = fieldsOf(usage["cache_creation"])
  const written = countOf(usage["cache_creation_input_tokens"])
  const cacheWrite1hTokens = countOf(writes["ephemeral_1h_input_tokens"])
  const cacheWrite5mTokens = Math.max(0, written - cacheWrite1hTokens)
  return {
    inputTokens: countOf(usage["input_tokens"]) + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens,
    cacheReadTokens,
    cacheWrite5mTokens,
    cacheWrite1hTokens,
    outputTokens: countOf(usage["output_tokens"]),
    reasoningTokens: countOf(fieldsOf(usage["output_tokens_details"])["thinking_tokens"])
  }
}
