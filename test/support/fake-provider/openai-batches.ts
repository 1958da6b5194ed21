/** OpenAI's `/v1/batches`. */
import { readJson } from "./body.ts"
import type { Batch } from "./batch.ts"
import type { Call, Reply } from "./chore.ts"
import { chat, responses } from "./openai.ts"
import { notFound } from "./problem.ts"
import { invalid, isJson } from "./question.ts"

const endpoints = new Map([responses, chat].map((dialect) => [dialect.path, dialect]))

/** What metadata may hold. */
const pairsMax = 16
const keyCharsMax = 64
const valueCharsMax = 512

const metadataProblem = (metadata: unknown): string | undefined => {
  if (metadata === undefined || metadata === null) return undefined
  if (!isJson(metadata)) return "expected an object"
  const pairs = Object.entries(metadata)
  if (pairs.length > pairsMax) return `expected at most ${pairsMax} pairs`
  for (const [key, value] of pairs) {
    if (key.length > keyCharsMax) return `the key ${key} is longer than ${keyCharsMax} characters`
    if (typeof value !== "string") return `expected a string at ${key}`
    if (value.length > valueCharsMax) return `the value of ${key} is longer than ${valueCharsMax} characters`
  }
  return undefined
}

const seconds = (ms: number | null): number | null => (ms === null ? null : Math.floor(ms / 1000))

/** A day, in seconds. */
const windowSeconds = 86_400

const statusOf = ({ phase, end, cancelAt, done, total }: Batch): string => {
  if (phase === "over") return end ?? "failed"
  if (cancelAt !== null) return "cancelling"
  if (phase === "validating") return "validating"
  return done < total ? "in_progress" : "finalizing"
}

/** The batch object. */
export const showOpenAiBatch = (batch: Batch) => {
  const created = Math.floor(batch.createdAt / 1000)
  const at = (end: Batch["end"]) => (batch.end === end ? seconds(batch.endedAt) : null)
  const status = statusOf(batch)
  const hasFiles = batch.phase === "over" && batch.end !== "failed"
  const { input, cached, output, reasoning } = batch.usage
  return {
    id: batch.id,
    object: "batch",
    endpoint: batch.dialect.path,
    model: batch.model,
    errors: batch.issues.length === 0 ? null : { object: "list", data: batch.issues },
    input_file_id: batch.inputFile,
    completion_window: "24h",
    status,
    output_file_id: batch.outputFile,
    error_file_id: batch.errorFile,
    created_at: created,
    in_progress_at: seconds(batch.liveAt),
    expires_at: created + windowSeconds,
    finalizing_at: status === "finalizing" || hasFiles ? seconds(batch.endedAt ?? Date.now()) : null,
    completed_at: at("completed"),
    failed_at: at("failed"),
    expired_at: at("expired"),
    cancelling_at: seconds(batch.cancelAt),
    cancelled_at: at("cancelled"),
    request_counts: { total: batch.total, completed: batch.completed, failed: batch.failed },
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: cached, cache_write_tokens: 0 },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: reasoning },
      total_tokens: input + output
    },
    metadata: batch.metadata ?? null
  }
}

/** `POST /v1/batches`. */
export const createBatch = async ({ world, req }: Call): Promise<Reply> => {
  const body = await readJson(req)
  if (!isJson(body)) return { problem: invalid("We could not parse the JSON body of your request.") }
  const { input_file_id, endpoint, completion_window, metadata } = body
  const dialect = typeof endpoint === "string" ? endpoints.get(endpoint) : undefined
  if (dialect === undefined) {
    return { problem: invalid(`Invalid value: '${String(endpoint)}'. Supported values are: ${[...endpoints.keys()].join(", ")}.`, "endpoint") }
  }
  if (completion_window !== "24h") {
    return { problem: invalid(`Invalid value: '${String(completion_window)}'. Supported values are: '24h'.`, "completion_window") }
  }
  const refused = metadataProblem(metadata)
  if (refused !== undefined) return { problem: invalid(`Invalid 'metadata': ${refused}.`, "metadata") }
  const file = typeof input_file_id === "string" ? world.files.files.get(input_file_id) : undefined
  if (file === undefined) return { problem: invalid(`Invalid file id: ${String(input_file_id)}`, "input_file_id") }
  if (file.purpose !== "batch") {
    return { problem: invalid(`The file ${file.id} has the purpose '${file.purpose}', not 'batch'.`, "input_file_id") }
  }
  const batch = world.batches.create({ dialect, input: file.spool, inputFile: file.id, metadata: metadata ?? null })
  return { json: showOpenAiBatch(batch) }
}

const withBatch = ({ world, id }: Call, use: (batch: Batch) => Reply): Reply => {
  const batch = world.batches.get(id, "openai")
  return batch === undefined ? { problem: notFound("openai", `No batch found with id '${id}'.`) } : use(batch)
}

/** `GET /v1/batches/ID`. */
export const retrieveBatch = (call: Call): Reply => withBatch(call, (batch) => ({ json: showOpenAiBatch(batch) }))

/** `POST /v1/batches/ID/cancel`. */
export const cancelBatch = (call: Call): Reply =>
  withBatch(call, (batch) => {
    if (batch.phase === "over") {
      const status = statusOf(batch)
      return { problem: { status: 409, message: `Cannot cancel a batch with status '${status}'.`, type: "invalid_request_error" } }
    }
    call.world.batches.cancel(batch)
    return { json: showOpenAiBatch(batch) }
  })

/** `GET /v1/batches`, newest first. */
export const listBatches = ({ world, query }: Call): Reply => {
  const limit = Number(query.get("limit") ?? 20)
  if (!(limit >= 1 && limit <= 100)) return { problem: invalid("Invalid 'limit': expected 1 to 100.", "limit") }
  const all = world.batches.list("openai")
  const after = query.get("after")
  const from = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1
  const page = all.slice(from, from + limit)
  for (const batch of page) world.batches.settle(batch)
  return {
    json: {
      object: "list",
      data: page.map(showOpenAiBatch),
      first_id: page[0]?.id ?? null,
      last_id: page.at(-1)?.id ?? null,
      has_more: from + limit < all.length
    }
  }
}
