/** Anthropic's dialect: Messages. */
import { type Answer, type Dialect, invalid, isJson, itemOf, type Json, type KnownSchema, type Question, tokensOf } from "./question.ts"
import type { Breakpoint } from "./prompt-cache.ts"
import type { Problem } from "./problem.ts"

/** How many `cache_control` marks a request may carry. */
const breakpointsMax = 4

/** The prompt's text as it grows, and the places where it may be cached. */
class Prompt {
  text = ""
  last = ""
  problem: Problem | undefined
  readonly breakpoints: Array<Breakpoint> = []

  /** Adds a string, or the text blocks of a list. */
  add(role: string, content: unknown, at: string): void {
    this.text += `${role}:`
    this.last = ""
    if (typeof content === "string") this.last = content
    else if (!Array.isArray(content)) this.problem = invalid(`${at}: Input should be a valid string or list`)
    if (typeof content === "string") this.text += content
    if (Array.isArray(content)) for (const block of content) this.#block(block, at)
    this.text += "\n"
  }

  #block(block: unknown, at: string): void {
    if (!isJson(block) || block["type"] !== "text" || typeof block["text"] !== "string") {
      this.problem = invalid(`${at}: Input tag should be 'text'`)
      return
    }
    this.text += block["text"]
    this.last += block["text"]
    const control = block["cache_control"]
    if (!isJson(control)) return
    if (block["text"] === "") this.problem = invalid(`${at}: cache_control cannot be set for empty text blocks`)
    this.breakpoints.push({ prefix: this.text, tokens: tokensOf(this.text.length), ttl: control["ttl"] === "1h" ? "1h" : "5m" })
  }
}

const promptOf = (body: Json): Prompt | Problem => {
  const { system, messages, max_tokens, temperature } = body
  if (typeof max_tokens !== "number") return invalid("max_tokens: Field required")
  if (!Number.isInteger(max_tokens) || max_tokens < 1) return invalid("max_tokens: must be greater than or equal to 1")
  if (typeof temperature === "number" && (temperature < 0 || temperature > 1)) return invalid("temperature: range: 0..1")
  if (body["stream"] === true) return invalid("stream: this server doesn't stream")
  if (!Array.isArray(messages) || messages.length === 0) return invalid("messages: at least one message is required")
  const prompt = new Prompt()
  if (system !== undefined) prompt.add("system", system, "system")
  for (const [index, message] of messages.entries()) {
    const role = isJson(message) ? message["role"] : undefined
    if (role !== "user" && role !== "assistant") return invalid(`messages.${index}.role: Input should be 'user' or 'assistant'`)
    if (index === 0 && role !== "user") return invalid('messages: first message must use the "user" role')
    prompt.add(role, isJson(message) ? message["content"] : undefined, `messages.${index}.content`)
  }
  const marks = prompt.breakpoints.length
  if (marks > breakpointsMax) return invalid(`A maximum of ${breakpointsMax} blocks with cache_control may be provided. Found ${marks}.`)
  return prompt.problem ?? prompt
}

const stopReasons = {
  stop: "end_turn",
  length: "max_tokens",
  refusal: "refusal",
  filter: "refusal",
  "empty-reasoning": "max_tokens",
  "no-choices": "end_turn"
} as const

const contentOf = (answer: Answer): string => {
  if (answer.end === "no-choices" || answer.end === "refusal" || answer.end === "filter") return ""
  if (answer.end === "empty-reasoning") return `{"type":"thinking","thinking":"Let me think.","signature":"c2lnbmVk"}`
  return `{"type":"text","text":${JSON.stringify(answer.text)},"citations":null}`
}

/** `POST /v1/messages`. */
export const messages: Dialect = {
  path: "/v1/messages",
  vendor: "anthropic",
  idPrefix: "msg_",
  read: (body, schemas): Question | Problem => {
    const { model, max_tokens } = body
    if (typeof model !== "string" || model === "") return invalid("model: Field required")
    const prompt = promptOf(body)
    if ("status" in prompt) return prompt
    const config = body["output_config"]
    const format = isJson(config) ? config["format"] : undefined
    let schema: KnownSchema | null = null
    if (isJson(format)) {
      if (format["type"] !== "json_schema") return invalid("output_config.format.type: Input should be 'json_schema'")
      schema = schemas.get("anthropic", format, format["schema"], true)
      if (schema.problem !== undefined) return invalid(`output_config.format.schema: ${schema.problem}`)
    }
    return {
      model,
      prompt: prompt.text,
      item: itemOf(model, prompt.text),
      text: prompt.last,
      schema,
      isJsonMode: false,
      maxTokens: typeof max_tokens === "number" ? max_tokens : null,
      inputTokens: tokensOf(prompt.text.length) + 3 + (schema?.tokens ?? 0),
      cached: (cache, minTokens) => cache.marked(model, prompt.breakpoints, minTokens),
      echo: { instructions: "", text: "" }
    }
  },
  render: (_question, answer) => {
    const { read, write5m, write1h } = answer.cached
    const isRefusal = answer.end === "refusal" || answer.end === "filter"
    return (
      `{"id":"${answer.id}","type":"message","role":"assistant","model":"${answer.snapshot}","container":null,"content":[${contentOf(answer)}],` +
      `"stop_reason":"${stopReasons[answer.end]}","stop_sequence":null,` +
      `"stop_details":${isRefusal ? `{"type":"refusal","category":null,"explanation":null}` : "null"},` +
      `"usage":{"input_tokens":${answer.input - read - write5m - write1h},"cache_creation_input_tokens":${write5m + write1h},` +
      `"cache_read_input_tokens":${read},"cache_creation":{"ephemeral_5m_input_tokens":${write5m},"ephemeral_1h_input_tokens":${write1h}},` +
      `"output_tokens":${answer.output},"output_tokens_details":{"thinking_tokens":${answer.reasoning}},` +
      `"server_tool_use":null,"inference_geo":"not_available","service_tier":"${answer.isBatch ? "batch" : "standard"}"}}`
    )
  }
}
