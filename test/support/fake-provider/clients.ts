/** The vendors' own SDKs, pointed at the fake: one request, one answer. */
import Anthropic from "@anthropic-ai/sdk"
import OpenAI, { toFile } from "openai"

import type { FakeProvider } from "./start.ts"

export const openaiOf = ({ openaiUrl }: FakeProvider, apiKey = "key-1"): OpenAI =>
  new OpenAI({ baseURL: openaiUrl, apiKey, maxRetries: 0, timeout: 5000 })

export const anthropicOf = ({ anthropicUrl }: FakeProvider, apiKey = "key-1"): Anthropic =>
  new Anthropic({ baseURL: anthropicUrl, apiKey, maxRetries: 0, timeout: 5000 })

/** A schema of one label and one confidence, as both vendors take it. */
export const labelSchema = {
  type: "object" as const,
  properties: { label: { type: "string", enum: ["spam", "list", "personal"] }, confidence: { type: "number" } },
  required: ["label", "confidence"],
  additionalProperties: false
}

/** One line of an OpenAI batch file. */
export const chatLine = (customId: string, content: string, more: Readonly<Record<string, unknown>> = {}) => ({
  custom_id: customId,
  method: "POST",
  url: "/v1/chat/completions",
  body: { model: "gpt-4.1-mini", max_completion_tokens: 64, messages: [{ role: "user", content }] },
  ...more
})

export const uploadLines = async (client: OpenAI, lines: ReadonlyArray<unknown>) =>
  client.files.create({
    purpose: "batch",
    file: await toFile(Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join("")), "spool.jsonl")
  })

/** Uploads and creates. */
export const openaiBatch = async (client: OpenAI, lines: ReadonlyArray<unknown>, metadata: Record<string, string> = {}) => {
  const file = await uploadLines(client, lines)
  return client.batches.create({ input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h", metadata })
}

export const anthropicRequest = (customId: string, content: string) => ({
  custom_id: customId,
  params: { model: "claude-haiku-4-5", max_tokens: 64, messages: [{ role: "user" as const, content }] }
})

/** A file's lines, parsed. */
export const linesIn = async (client: OpenAI, fileId: string): Promise<ReadonlyArray<Record<string, unknown>>> => {
  const text = await (await client.files.content(fileId)).text()
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
}
