/** OpenAI's files, batches and models. */
import { doChore, type Call, type Outcome } from "./chore.ts"
import type { Batch } from "./batch.ts"
import { knownModels } from "./catalog.ts"
import { showFile } from "./file-shelf.ts"
import { MultipartReader } from "./multipart.ts"
import { chat, responses } from "./openai.ts"
import type { Problem } from "./problem.ts"
import { invalid, isJson } from "./question.ts"
import { readChunks, readText } from "./read-body.ts"
import type { World } from "./world.ts"

const endpoints = new Map([chat, responses].map((dialect) => [dialect.path, dialect]))
const seconds = (ms: number): number => Math.floor(ms / 1000)
const day = 86_400

const parse = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? "")
  } catch {
    return undefined
  }
}

const noFile = (id: string): Problem => ({ status: 404, message: `No such File object: ${id}`, param: "id" })
const noBatch = (id: string): Problem => ({ status: 404, message: `No batch found with id '${id}'.` })

/** Which chore a path is, and does it; false where it is none. */
export const openaiChore = (call: Call, method: string, parts: ReadonlyArray<string>): boolean => {
  const [kind, id, verb] = parts
  const route = `${method} ${kind}${id === undefined ? "" : "/id"}${verb === undefined ? "" : `/${verb}`}`
  const act = routes[route]
  if (act === undefined || parts.length > 3) return false
  act(call, id ?? "")
  return true
}

const routes: Readonly<Record<string, (call: Call, id: string) => void>> = {
  "GET models": (call) => doChore(call, "list", () => ({ json: modelList(call.world) })),
  "POST files": (call) => upload(call),
  "GET files": (call) =>
    doChore(call, "list", () => ({ json: page(call, [...call.world.files.files.values()].map(showFile).toReversed()) })),
  "GET files/id": (call, id) =>
    doChore(call, "file", () => {
      const file = call.world.files.files.get(id)
      return file === undefined ? { problem: noFile(id) } : { json: showFile(file) }
    }),
  "GET files/id/content": (call, id) =>
    doChore(call, "content", () => {
      const file = call.world.files.files.get(id)
      return file === undefined ? { problem: noFile(id) } : { bytes: file.spool, type: "application/octet-stream" }
    }),
  "DELETE files/id": (call, id) =>
    doChore(call, "delete", () =>
      call.world.files.remove(id) ? { json: { id, object: "file", deleted: true } } : { problem: noFile(id) }
    ),
  "POST batches": (call) => readText(call.req, (text) => doChore(call, "create", () => create(call.world, parse(text)))),
  "GET batches": (call) => doChore(call, "list", () => ({ json: page(call, listed(call.world)) })),
  "GET batches/id": (call, id) =>
    doChore(call, "retrieve", () => {
      const batch = call.world.batches.get(id, "openai")
      return batch === undefined ? { problem: noBatch(id) } : { json: showBatch(batch) }
    }),
  "POST batches/id/cancel": (call, id) => readText(call.req, () => doChore(call, "cancel", () => cancel(call.world, id)))
}

const modelList = (world: World) => {
  const { models } = world.box.steady
  const data = (models.length > 0 ? models : knownModels).map((id) => ({ id, object: "model", created: 1754425777, owned_by: "system" }))
  return { object: "list", data }
}

/** Cut by `limit` and `after`. */
const page = <A extends { readonly id: string }>({ query }: Call, all: ReadonlyArray<A>) => {
  const after = query.get("after")
  const from = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1
  const data = all.slice(from, from + Number(query.get("limit") ?? 20))
  const has_more = from + data.length < all.length
  return { object: "list", data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more }
}

const upload = (call: Call): void => {
  const { world, req } = call
  world.ledger.uploadsBegun++
  const reader = MultipartReader.of(req.headers["content-type"])
  let problem: string | undefined = reader === undefined ? "The request must be multipart/form-data." : undefined
  readChunks(req, {
    bytesPerSecond: world.box.steady.uploadBytesPerSecond,
    onChunk: (chunk) => {
      try {
        if (problem === undefined) reader?.push(chunk)
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error)
      }
    },
    onLost: () => {
      world.ledger.aborted++
      reader?.finish()?.file.close()
    },
    onEnd: () => doChore(call, "upload", () => shelve(world, reader, problem))
  })
}

const purposes = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]

const shelve = (world: World, reader: MultipartReader | undefined, problem: string | undefined): Outcome => {
  const form = reader?.finish()
  if (problem !== undefined || form === undefined) return { problem: invalid(problem ?? "'file' is a required property", "file") }
  const { purpose = "" } = form.fields
  if (purposes.includes(purpose)) {
    world.ledger.filesUploaded++
    return { json: showFile(world.files.put(form.filename, purpose, form.file)) }
  }
  form.file.close()
  return { problem: invalid(`'${purpose}' is not one of ${JSON.stringify(purposes)} - 'purpose'`, "purpose") }
}

const metadataProblem = (metadata: unknown): string | undefined => {
  if (metadata === undefined || metadata === null) return undefined
  if (!isJson(metadata)) return "Invalid type for 'metadata': expected an object."
  const pairs = Object.entries(metadata)
  if (pairs.length > 16) return "Invalid 'metadata': too many properties. Expected an object with at most 16 properties."
  const bad = pairs.find(([key, value]) => key.length > 64 || typeof value !== "string" || value.length > 512)
  return bad === undefined ? undefined : `Invalid 'metadata.${bad[0]}': keys have at most 64 characters, values are texts of at most 512.`
}

const create = (world: World, body: unknown): Outcome => {
  if (!isJson(body)) return { problem: invalid("We could not parse the JSON body of your request.") }
  const { endpoint, input_file_id, completion_window, metadata } = body
  const dialect = endpoints.get(String(endpoint))
  if (dialect === undefined) return { problem: invalid(`Invalid value: '${String(endpoint)}'.`, "endpoint", "invalid_value") }
  if (completion_window !== "24h")
    return { problem: invalid("Invalid value for 'completion_window': expected '24h'.", "completion_window") }
  const file = world.files.files.get(String(input_file_id))
  if (file === undefined) return { problem: invalid(`Cannot find file ${String(input_file_id)}.`, "file_id") }
  if (file.purpose !== "batch") return { problem: invalid(`The file's purpose must be 'batch', not '${file.purpose}'.`, "file_id") }
  const problem = metadataProblem(metadata)
  if (problem !== undefined) return { problem: invalid(problem, "metadata") }
  const batch = world.batches.create({ dialect, input: file.spool, inputFile: file.id, metadata: metadata ?? null })
  return { json: showBatch(batch) }
}

const cancel = (world: World, id: string): Outcome => {
  const batch = world.batches.get(id, "openai")
  if (batch === undefined) return { problem: noBatch(id) }
  if (batch.end !== null) return { problem: { status: 409, message: `Cannot cancel a batch with status '${batch.end}'.` } }
  world.batches.cancel(batch)
  return { json: showBatch(batch) }
}

const listed = (world: World) => {
  const batches = world.batches.list("openai")
  for (const batch of batches) world.batches.settle(batch)
  return batches.map(showBatch)
}

const statusOf = (batch: Batch): string => {
  if (batch.end !== null) return batch.end
  if (batch.cancelAt !== null) return "cancelling"
  if (batch.phase === "validating") return "validating"
  return batch.done === batch.total ? "finalizing" : "in_progress"
}

/** The Batch object. */
const showBatch = (batch: Batch) => {
  const { end, endedAt, createdAt, cancelAt, liveAt, usage } = batch
  const at = (name: string) => (end === name && endedAt !== null ? seconds(endedAt) : null)
  const hasFiles = end !== null && end !== "failed"
  return {
    id: batch.id,
    object: "batch",
    endpoint: batch.dialect.path,
    model: batch.model,
    errors: batch.issues.length > 0 && batch.phase === "over" ? { object: "list", data: batch.issues } : null,
    input_file_id: batch.inputFile,
    completion_window: "24h",
    status: statusOf(batch),
    output_file_id: batch.outputFile,
    error_file_id: batch.errorFile,
    created_at: seconds(createdAt),
    in_progress_at: liveAt === null ? null : seconds(liveAt),
    expires_at: seconds(createdAt) + day,
    finalizing_at: hasFiles && endedAt !== null ? seconds(endedAt) : null,
    completed_at: at("completed"),
    failed_at: at("failed"),
    expired_at: at("expired"),
    cancelling_at: cancelAt === null ? null : seconds(cancelAt),
    cancelled_at: at("cancelled"),
    request_counts: { total: batch.total, completed: batch.completed, failed: batch.failed },
    usage: {
      input_tokens: usage.input,
      input_tokens_details: { cached_tokens: usage.cached },
      output_tokens: usage.output,
      output_tokens_details: { reasoning_tokens: usage.reasoning },
      total_tokens: usage.input + usage.output
    },
    metadata: batch.metadata
  }
}
