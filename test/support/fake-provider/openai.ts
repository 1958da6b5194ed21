/** OpenAI's dialects: Responses and Chat Completions. */
import {
  type Answer,
  type Dialect,
  invalid,
  isJson,
  itemOf,
  type Json,
  type KnownSchema,
  type Question,
  type SchemaCache,
  textOf,
  tokensOf
} from "./question.ts"
import type { Problem } from "./problem.ts"

const refusal = "I'm sorry, but I can't assist with that request."
const isReasoning = (model: string) => model.startsWith("gpt-5") || /^o\d/.test(model)

interface Read {
  readonly messages: ReadonlyArray<unknown>
  readonly instructions: string | undefined
  readonly field: string
}

/** Everything that both dialects' requests share. */
const question = (
  body: Json,
  { messages, instructions, field }: Read,
  rest: Pick<Question, "schema" | "isJsonMode" | "maxTokens">,
  text: string
): Question | Problem => {
  const { model } = body
  if (typeof model !== "string") return invalid("you must provide a model parameter", "model")
  if (body["stream"] === true) return invalid("This server doesn't stream.", "stream")
  let prompt = instructions === undefined ? "" : `system:${instructions}\n`
  let first = instructions
  let last = ""
  for (const [index, message] of messages.entries()) {
    if (!isJson(message)) return invalid(`Invalid type for '${field}[${index}]': expected an object.`, `${field}[${index}]`)
    const content = textOf(message["content"])
    if (content === undefined) return invalid(`Invalid value for 'content': expected a string.`, `${field}.[${index}].content`)
    // Developer messages are system messages by their newer name: one item in both dialects.
    const role = message["role"] === "developer" ? "system" : String(message["role"])
    prompt += `${role}:${content}\n`
    first ??= content
    last = content
  }
  if (last === "" && messages.length === 0) return invalid(`Missing required parameter: '${field}'.`, field, "missing_required_parameter")
  const prefix = first ?? ""
  return {
    ...rest,
    model,
    prompt,
    item: itemOf(model, prompt),
    text: last,
    inputTokens: tokensOf(prompt.length) + 4 * messages.length + (rest.schema?.tokens ?? 0),
    cached: (cache, minTokens) => cache.automatic(model, prefix, tokensOf(prefix.length), minTokens),
    echo: { instructions: instructions === undefined ? "null" : JSON.stringify(instructions), text }
  }
}

interface Format {
  readonly schema: KnownSchema | null
  readonly isJsonMode: boolean
}

const formatOf = (format: unknown, named: unknown, param: string, schemas: SchemaCache): Format | Problem => {
  if (!isJson(format) || format["type"] === "text") return { schema: null, isJsonMode: false }
  if (format["type"] === "json_object") return { schema: null, isJsonMode: true }
  if (format["type"] !== "json_schema" || !isJson(named)) return invalid(`Invalid value: '${String(format["type"])}'.`, `${param}.type`)
  const { name } = named
  if (typeof name !== "string" || !/^[a-zA-Z0-9_-]{1,64}$/.test(name)) {
    return invalid(`Invalid '${param}.name': string does not match pattern.`, `${param}.name`, "invalid_value")
  }
  const schema = schemas.get("openai", format, named["schema"], named["strict"] === true)
  if (schema.problem === undefined) return { schema, isJsonMode: false }
  return invalid(`Invalid schema for response_format '${name}': ${schema.problem}`, `${param}.schema`, "invalid_json_schema")
}

/** Parameters that reasoning models refuse. */
const unsupported = (body: Json, isChat: boolean): Problem | undefined => {
  if (typeof body["model"] !== "string" || !isReasoning(body["model"])) return undefined
  const { temperature } = body
  if (typeof temperature === "number" && (temperature !== 1 || !isChat)) {
    return invalid(
      isChat
        ? `Unsupported value: 'temperature' does not support ${temperature} with this model. Only the default (1) value is supported.`
        : "Unsupported parameter: 'temperature' is not supported with this model.",
      "temperature",
      isChat ? "unsupported_value" : "unsupported_parameter"
    )
  }
  if (!isChat || body["max_tokens"] === undefined) return undefined
  return invalid(
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "max_tokens",
    "unsupported_parameter"
  )
}

const limitOf = (body: Json, names: ReadonlyArray<string>, least: number): number | null | Problem => {
  for (const name of names) {
    const value = body[name]
    if (value === undefined || value === null) continue
    if (typeof value !== "number" || !Number.isInteger(value)) return invalid(`Invalid type for '${name}': expected an integer.`, name)
    if (value < least) {
      return invalid(
        `Invalid '${name}': integer below minimum value. Expected a value >= ${least}, but got ${value} instead.`,
        name,
        "integer_below_min_value"
      )
    }
    return value
  }
  return null
}

/** `POST /v1/responses`. */
export const responses: Dialect = {
  path: "/v1/responses",
  vendor: "openai",
  idPrefix: "resp_",
  read: (body, schemas) => {
    const refused = unsupported(body, false)
    if (refused !== undefined) return refused
    const maxTokens = limitOf(body, ["max_output_tokens"], 16)
    if (maxTokens !== null && typeof maxTokens !== "number") return maxTokens
    const text = isJson(body["text"]) ? body["text"] : {}
    const format = formatOf(text["format"], text["format"], "text.format", schemas)
    if ("status" in format) return format
    const { input, instructions } = body
    const messages = typeof input === "string" ? [{ role: "user", content: input }] : Array.isArray(input) ? input : []
    const echo = `{"format":${format.schema?.echo ?? `{"type":"${format.isJsonMode ? "json_object" : "text"}"}`},"verbosity":"medium"}`
    return question(
      body,
      { messages, instructions: typeof instructions === "string" ? instructions : undefined, field: "input" },
      { ...format, maxTokens },
      echo
    )
  },
  render: (question, answer) => {
    const incomplete = answer.end === "length" || answer.end === "empty-reasoning" ? "max_output_tokens" : "content_filter"
    const isComplete = answer.end === "stop" || answer.end === "refusal" || answer.end === "no-choices"
    const max = question.maxTokens ?? "null"
    return (
      `{"id":"${answer.id}","object":"response","created_at":${answer.created},"status":"${isComplete ? "completed" : "incomplete"}",` +
      `"background":false,"error":null,"incomplete_details":${isComplete ? "null" : `{"reason":"${incomplete}"}`},` +
      `"instructions":${question.echo.instructions},"max_output_tokens":${max},"max_tool_calls":null,"model":"${answer.snapshot}",` +
      `"output":[${outputOf(answer)}],"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,` +
      `"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":true,"temperature":1,` +
      `"text":${question.echo.text},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1,"truncation":"disabled",` +
      `"usage":{"input_tokens":${answer.input},"input_tokens_details":{"cached_tokens":${answer.cached.read},"cache_write_tokens":0},` +
      `"output_tokens":${answer.output},"output_tokens_details":{"reasoning_tokens":${answer.reasoning}},` +
      `"total_tokens":${answer.input + answer.output}},"user":null,"metadata":{}}`
    )
  }
}

/** The items of a response: reasoning models put one of their own before the message. */
const outputOf = (answer: Answer): string => {
  if (answer.end === "no-choices") return ""
  const id = answer.id.slice(5)
  const reasoning = isReasoning(answer.snapshot) ? `{"id":"rs_${id}","type":"reasoning","summary":[]}` : ""
  if (answer.end === "empty-reasoning") return reasoning
  const part =
    answer.end === "refusal"
      ? `{"type":"refusal","refusal":${JSON.stringify(refusal)}}`
      : `{"type":"output_text","annotations":[],"logprobs":[],"text":${JSON.stringify(answer.text)}}`
  const status = answer.end === "stop" || answer.end === "refusal" ? "completed" : "incomplete"
  return `${reasoning}${reasoning === "" ? "" : ","}{"id":"msg_${id}","type":"message","status":"${status}","content":[${part}],"role":"assistant"}`
}

const finishReasons = {
  stop: "stop",
  length: "length",
  refusal: "stop",
  filter: "content_filter",
  "empty-reasoning": "length",
  "no-choices": "stop"
} as const

const readChat = (body: Json, schemas: SchemaCache, isBare: boolean): Question | Problem => {
  const refused = isBare ? undefined : unsupported(body, true)
  if (refused !== undefined) return refused
  const maxTokens = limitOf(body, ["max_completion_tokens", "max_tokens"], 1)
  if (maxTokens !== null && typeof maxTokens !== "number") return maxTokens
  const named = isJson(body["response_format"]) ? body["response_format"]["json_schema"] : undefined
  const format = formatOf(body["response_format"], named, "response_format", schemas)
  if ("status" in format) return format
  const messages = Array.isArray(body["messages"]) ? body["messages"] : []
  return question(body, { messages, instructions: undefined, field: "messages" }, { ...format, maxTokens }, "")
}

const choicesOf = (answer: Answer): string => {
  if (answer.end === "no-choices") return ""
  const isRefusal = answer.end === "refusal"
  const content = isRefusal ? "null" : JSON.stringify(answer.text)
  return (
    `{"index":0,"message":{"role":"assistant","content":${content},"refusal":${isRefusal ? JSON.stringify(refusal) : "null"},"annotations":[]},` +
    `"logprobs":null,"finish_reason":"${finishReasons[answer.end]}"}`
  )
}

/** `POST /v1/chat/completions`. */
export const chat: Dialect = {
  path: "/v1/chat/completions",
  vendor: "openai",
  idPrefix: "chatcmpl-",
  read: (body, schemas) => readChat(body, schemas, false),
  render: (_question, answer) =>
    `{"id":"${answer.id}","object":"chat.completion","created":${answer.created},"model":"${answer.snapshot}","choices":[${choicesOf(answer)}],` +
    `"usage":{"prompt_tokens":${answer.input},"completion_tokens":${answer.output},"total_tokens":${answer.input + answer.output},` +
    `"prompt_tokens_details":{"cached_tokens":${answer.cached.read},"audio_tokens":0},"completion_tokens_details":` +
    `{"reasoning_tokens":${answer.reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},` +
    `"service_tier":"default","system_fingerprint":null}`
}

/** Chat Completions as servers of open models speak it: no details of usage, no parameters refused. */
export const bareChat: Dialect = {
  ...chat,
  read: (body, schemas) => readChat(body, schemas, true),
  render: (_question, answer) =>
    `{"id":"${answer.id}","object":"chat.completion","created":${answer.created},"model":"${answer.snapshot}","choices":[${choicesOf(answer)}],` +
    `"usage":{"prompt_tokens":${answer.input},"total_tokens":${answer.input + answer.output},"completion_tokens":${answer.output},` +
    `"prompt_tokens_details":null}}`
}
