/** Anthropic's `/v1/messages/batches`. */
import { messages } from "./anthropic.ts"
import type { Batch } from "./batch.ts"
import { parseLine } from "./batch-line.ts"
import type { Call, Reply } from "./chore.ts"
import { notFound, type Problem } from "./problem.ts"
import { invalid, isJson } from "./question.ts"
import { ElementFinder, type LineIndex, Spool } from "./spool.ts"

/** Anthropic's limits. */
const requestsMax = 100_000
const bytesMax = 256 * 2 ** 20

/** How many requests are checked before other calls get a turn. */
const checkedAtOnce = 500

const dayMs = 86_400_000
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

/** The batch object; its counts stand still until the end, as the vendor's do. */
export const showAnthropicBatch = (batch: Batch, origin: string) => {
  const isOver = batch.phase === "over"
  return {
    id: batch.id,
    type: "message_batch",
    processing_status: isOver ? "ended" : batch.cancelAt === null ? "in_progress" : "canceling",
    request_counts: {
      processing: isOver ? 0 : batch.index.count,
      succeeded: isOver ? batch.completed : 0,
      errored: isOver ? batch.failed : 0,
      canceled: isOver ? batch.canceled : 0,
      expired: isOver ? batch.expired : 0
    },
    created_at: iso(batch.createdAt),
    expires_at: iso(batch.createdAt + dayMs),
    ended_at: iso(batch.endedAt),
    cancel_initiated_at: iso(batch.cancelAt),
    archived_at: null,
    results_url: isOver ? `${origin}/v1/messages/batches/${batch.id}/results` : null
  }
}

const show = ({ req }: Call, batch: Batch): Reply => ({ json: showAnthropicBatch(batch, `http://${req.headers.host ?? "127.0.0.1"}`) })

/** What is refused before a batch exists: ids alone, as `params` are checked when they are worked on. */
const requestsProblem = async (spool: Spool, { count, offsets, lengths }: LineIndex): Promise<Problem | undefined> => {
  if (count === 0) return invalid("requests: List should have at least 1 item after validation, not 0")
  if (count > requestsMax) return invalid(`requests: List should have at most ${requestsMax} items after validation, not ${count}`)
  const ids = new Set<string>()
  for (let place = 0; place < count; place++) {
    if (place % checkedAtOnce === checkedAtOnce - 1) await new Promise(setImmediate)
    const request = parseLine(spool.read(offsets[place] ?? 0, lengths[place] ?? 0).toString())
    const id = request?.["custom_id"]
    if (typeof id !== "string" || !/^[a-zA-Z0-9_-]{1,64}$/.test(id)) {
      return invalid(`requests.${place}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'`)
    }
    if (ids.has(id)) return invalid(`requests.${place}.custom_id: custom_id must be unique, found duplicate: ${id}`)
    if (!isJson(request?.["params"])) return invalid(`requests.${place}.params: Field required`)
    ids.add(id)
  }
  return undefined
}

/** `POST /v1/messages/batches`. */
export const createMessageBatch = async (call: Call): Promise<Reply> => {
  const { world, req } = call
  const spool = new Spool()
  const finder = new ElementFinder()
  let bytes = 0
  try {
    for await (const piece of req) {
      const chunk: Buffer = piece
      bytes += chunk.length
      if (bytes > bytesMax) continue
      spool.append(chunk)
      finder.see(chunk)
    }
    if (bytes > bytesMax) return { problem: { status: 413, message: "Request exceeds the maximum size" } }
    const index = finder.finish()
    if (index === undefined) return { problem: invalid("The request body is not valid JSON") }
    const problem = (await requestsProblem(spool, index)) ?? queueProblem(call, bytes)
    if (problem !== undefined) return { problem }
    return show(call, world.batches.create({ dialect: messages, input: spool, index, inputFile: null, metadata: null }))
  } finally {
    // The batch holds it now, if there is one.
    spool.close()
  }
}

/** Anthropic refuses at the door what OpenAI takes and then fails. */
const queueProblem = ({ world }: Call, bytes: number): Problem | undefined => {
  const full = world.batches.queueProblem({ id: "", model: null, enqueuedTokens: Math.ceil(bytes / 4) }, "anthropic")
  return full === undefined ? undefined : { status: 429, message: `This request would exceed your organization's batch queue. ${full}.` }
}

const withBatch = ({ world, id }: Call, use: (batch: Batch) => Reply): Reply => {
  const batch = world.batches.get(id, "anthropic")
  return batch === undefined ? { problem: notFound("anthropic", `Could not find Message Batch with id ${id}`) } : use(batch)
}

/** `GET /v1/messages/batches/ID`. */
export const retrieveMessageBatch = (call: Call): Reply => withBatch(call, (batch) => show(call, batch))

/** `POST /v1/messages/batches/ID/cancel`. */
export const cancelMessageBatch = (call: Call): Reply =>
  withBatch(call, (batch) => {
    if (batch.phase === "over") return { problem: invalid(`Batch ${batch.id} cannot be canceled because it has ended`) }
    call.world.batches.cancel(batch)
    return show(call, batch)
  })

/** `DELETE /v1/messages/batches/ID`. */
export const deleteMessageBatch = (call: Call): Reply =>
  withBatch(call, (batch) => {
    if (batch.phase !== "over") return { problem: invalid(`Batch ${batch.id} cannot be deleted while it is being processed`) }
    call.world.batches.remove(batch.id)
    return { json: { id: batch.id, type: "message_batch_deleted" } }
  })

/** `GET /v1/messages/batches/ID/results`. */
export const downloadResults = (call: Call): Reply =>
  withBatch(call, (batch) =>
    batch.phase === "over" ? { spool: batch.output } : { problem: invalid(`Batch ${batch.id} has no available results: it has not ended`) }
  )

/** `GET /v1/messages/batches`, newest first; `before_id` asks for newer ones, `after_id` for older ones. */
export const listMessageBatches = (call: Call): Reply => {
  const { world, query, req } = call
  const limit = Number(query.get("limit") ?? 20)
  if (!(limit >= 1 && limit <= 1000)) return { problem: invalid("limit: Input should be between 1 and 1000") }
  const all = world.batches.list("anthropic")
  const place = (id: string | null) => (id === null ? -1 : all.findIndex((batch) => batch.id === id))
  const before = place(query.get("before_id"))
  const from = before >= 0 ? Math.max(0, before - limit) : place(query.get("after_id")) + 1
  const to = before >= 0 ? before : Math.min(all.length, from + limit)
  const page = all.slice(from, to)
  for (const batch of page) world.batches.settle(batch)
  const origin = `http://${req.headers.host ?? "127.0.0.1"}`
  return {
    json: {
      data: page.map((batch) => showAnthropicBatch(batch, origin)),
      has_more: before >= 0 ? from > 0 : to < all.length,
      first_id: page[0]?.id ?? null,
      last_id: page.at(-1)?.id ?? null
    }
  }
}
