/** What the machine can do at best for a provider batch: the same lines with as little around them as there can be. */
import { createWriteStream, openAsBlob } from "node:fs"
import { once } from "node:events"
import * as path from "node:path"

import * as DuckDb from "@duckdb/node-api"
import { FormData, request } from "undici"

import { openAiLine } from "../../runtime/provider/openai-batch-line.ts"
import { append } from "./ceiling.ts"
import type { FakeProcess } from "./fake-process.ts"
import { models } from "./paid-bench-job.ts"
import { requestOf } from "./raw-requests.ts"
import { mailText } from "./run-process.ts"

const groupRows = 500
const authorization = { authorization: "Bearer bench-key-of-openai" }

export interface RawBatch {
  /** Lines made, written to a file and uploaded. Items a second. */
  readonly outPerSecond: number
  /** Results downloaded, parsed and appended to a table. Items a second. */
  readonly backPerSecond: number
}

/** One batch of so many items, there and back. */
export const rawBatch = async (fake: FakeProcess, folder: string, items: number): Promise<RawBatch> => {
  const file = path.join(folder, "raw-batch.jsonl")
  const sent = performance.now()
  await writeLines(file, items)
  const form = new FormData()
  form.set("purpose", "batch")
  form.set("file", await openAsBlob(file), "raw-batch.jsonl")
  const uploaded = await ask(fake, "files", { method: "POST", body: form })
  const outSeconds = (performance.now() - sent) / 1_000
  const body = JSON.stringify({ input_file_id: uploaded["id"], endpoint: "/v1/responses", completion_window: "24h" })
  const { id } = await ask(fake, "batches", { method: "POST", body, headers: { "content-type": "application/json" } })
  for (;;) {
    const { status, output_file_id: output } = await ask(fake, `batches/${String(id)}`, {})
    if (status === "completed") return { outPerSecond: items / outSeconds, backPerSecond: await readBack(fake, folder, String(output)) }
    if (status === "failed") throw new Error("The fake provider refused the batch")
    await new Promise((resume) => setTimeout(resume, 100))
  }
}

const writeLines = async (file: string, items: number): Promise<void> => {
  const out = createWriteStream(file)
  let text = ""
  for (let index = 0; index < items; index++) {
    text += `${openAiLine(requestOf(models["openai-batch"], mailText(index)), `item-${index}`)}\n`
    if (text.length < 1 << 20) continue
    if (!out.write(text)) await once(out, "drain")
    text = ""
  }
  out.end(text)
  await once(out, "finish")
}

const readBack = async (fake: FakeProcess, folder: string, output: string): Promise<number> => {
  const instance = await DuckDb.DuckDBInstance.create(path.join(folder, "raw-batch.duckdb"), { memory_limit: "400MB", threads: "2" })
  const connection = await instance.connect()
  await connection.run("create table replies (id varchar, body varchar)")
  const began = performance.now()
  const { body } = await request(`${fake.openaiUrl}/files/${output}/content`, { headers: authorization })
  let rows: Array<[string, string]> = []
  let lines = 0
  const commit = async (): Promise<void> => {
    await connection.run("begin")
    await append(connection, "replies", [DuckDb.VARCHAR, DuckDb.VARCHAR], rows)
    await connection.run("commit")
    rows = []
  }
  let rest = ""
  body.setEncoding("utf8")
  for await (const piece of body) {
    const parts = (rest + String(piece)).split("\n")
    rest = parts.pop() ?? ""
    for (const part of parts) {
      rows.push([(JSON.parse(part) as { custom_id: string }).custom_id, part])
      lines++
      if (rows.length === groupRows) await commit()
    }
  }
  await commit()
  const perSecond = lines / ((performance.now() - began) / 1_000)
  connection.closeSync()
  instance.closeSync()
  return perSecond
}

const ask = async (
  fake: FakeProcess,
  what: string,
  { headers, ...options }: Exclude<Parameters<typeof request>[1], undefined>
): Promise<Record<string, unknown>> => {
  const reply = await request(`${fake.openaiUrl}/${what}`, { ...options, headers: { ...authorization, ...headers } })
  const said = await reply.body.json()
  if (reply.statusCode !== 200) throw new Error(`${what}: ${reply.statusCode} ${JSON.stringify(said)}`)
  // The fake speaks as OpenAI does.
  return said as Record<string, unknown>
}
