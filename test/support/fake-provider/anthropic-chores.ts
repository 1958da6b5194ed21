/** Anthropic's message batches and models. */
import { messages } from "./anthropic.ts"
import { parseLine } from "./batch-line.ts"
import type { Batch } from "./batch.ts"
import { knownModels } from "./catalog.ts"
import { type Call, doChore, type Outcome } from "./chore.ts"
import type { Problem } from "./problem.ts"
import { invalid, isJson } from "./question.ts"
import { readChunks, readText } from "./read-body.ts"
import { ElementFinder, type LineIndex, Spool } from "./spool.ts"
import type { World } from "./world.ts"

/** Anthropic's limits. */
const requestsMax = 100_000
const bytesMax = 256 * 2 ** 20
/** So many requests are checked before other calls get a turn. */
const sliceRequests = 2000

const noBatch = (id: string): Problem => ({ status: 404, message: `Batch ${id} not found` })
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

/** Which chore a path below `/v1/messages/batches` is, and does it; false where it is none. */
export const anthropicChore = (call: Call, method: string, parts: ReadonlyArray<string>): boolean => {
  const [id, verb] = parts
  const act = routes[`${method}${id === undefined ? "" : " id"}${verb === undefined ? "" : ` ${verb}`}`]
  if (act === undefined || parts.length > 2) return false
  act(call, id ?? "")
  return true
}

const routes: Readonly<Record<string, (call: Call, id: string) => void>> = {
  POST: (call) => receive(call),
  GET: (call) => doChore(call, "list", () => ({ json: page(call) })),
  "GET id": (call, id) =>
    doChore(call, "retrieve", () => {
      const batch = call.world.batches.get(id, "anthropic")
      return batch === undefined ? { problem: noBatch(id) } : { json: showMessageBatch(batch, call) }
    }),
  "POST id cancel": (call, id) => readText(call.req, () => doChore(call, "cancel", () => cancel(call, id))),
  "DELETE id": (call, id) => doChore(call, "delete", () => remove(call.world, id)),
  "GET id results": (call, id) =>
    doChore(call, "content", () => {
      const batch = call.world.batches.get(id, "anthropic")
      if (batch === undefined) return { problem: noBatch(id) }
      if (batch.end === null) return { problem: { status: 404, message: `Batch ${id} has no results yet: it is still being processed.` } }
      return { bytes: batch.output, type: "application/x-jsonl" }
    })
}

/** `GET /v1/models` in Anthropic's form. */
export const anthropicModels = (world: World): Outcome => {
  const { models } = world.box.steady
  const data = (models.length > 0 ? models : knownModels.filter((model) => model.startsWith("claude"))).map((id) => ({
    type: "model",
    id,
    display_name: id,
    created_at: "2025-10-01T00:00:00Z"
  }))
  return { json: { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null } }
}

/** Takes the body to a spool as it comes and notes where each request stands; none is held in memory. */
const receive = (call: Call): void => {
  const { world, req } = call
  const spool = new Spool()
  const finder = new ElementFinder()
  readChunks(req, {
    bytesPerSecond: world.box.steady.uploadBytesPerSecond,
    onChunk: (chunk) => {
      if (spool.bytes > bytesMax) return
      spool.append(chunk)
      finder.see(chunk)
    },
    onLost: () => {
      world.ledger.aborted++
      spool.close()
    },
    onEnd: () => {
      const refuse = (problem: Problem) => {
        spool.close()
        doChore(call, "create", () => ({ problem }))
      }
      if (spool.bytes > bytesMax) return refuse({ status: 413, message: "Request exceeds the maximum allowed number of bytes." })
      const index = finder.finish()
      if (index === undefined || index.count === 0)
        return refuse(invalid("requests: List should have at least 1 item after validation, not 0"))
      if (index.count > requestsMax) return refuse(invalid(`requests: List should have at most ${requestsMax} items after validation`))
      check(spool, index, (problem) => {
        if (problem !== undefined) return refuse(problem)
        doChore(call, "create", () => create(call, spool, index))
        // The batch holds on to it, if there is one.
        spool.close()
      })
    }
  })
}

/** Every request's id and shape; what its `params` say is judged when it is worked on. */
const check = (spool: Spool, index: LineIndex, then: (problem: Problem | undefined) => void): void => {
  const seen = new Set<string>()
  let place = 0
  const slice = (): void => {
    for (const end = Math.min(index.count, place + sliceRequests); place < end; place++) {
      const request = parseLine(spool.read(index.offsets[place] ?? 0, index.lengths[place] ?? 0).toString())
      const customId = request?.["custom_id"]
      if (typeof customId !== "string") return then(invalid(`requests.${place}.custom_id: Field required`))
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(customId)) {
        return then(invalid(`requests.${place}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'`))
      }
      if (seen.has(customId)) return then(invalid(`requests: custom_id must be unique, found a duplicate: ${customId}`))
      if (!isJson(request?.["params"])) return then(invalid(`requests.${place}.params: Field required`))
      seen.add(customId)
    }
    if (place < index.count) setImmediate(slice)
    else then(undefined)
  }
  slice()
}

const create = (call: Call, input: Spool, index: LineIndex): Outcome => {
  const { world } = call
  const queue = world.batches.queueProblem({ id: "", model: null, enqueuedTokens: Math.ceil(input.bytes / 4) }, "anthropic")
  if (queue !== undefined) {
    return {
      problem: { status: 429, message: `This request would exceed the number of requests in the batch processing queue. ${queue}.` }
    }
  }
  const batch = world.batches.create({ dialect: messages, input, index, inputFile: null, metadata: null })
  return { json: showMessageBatch(batch, call) }
}

const cancel = (call: Call, id: string): Outcome => {
  const { world } = call
  const batch = world.batches.get(id, "anthropic")
  if (batch === undefined) return { problem: noBatch(id) }
  if (batch.end !== null) return { problem: invalid(`Batch ${id} has already ended and can't be canceled.`) }
  world.batches.cancel(batch)
  return { json: showMessageBatch(batch, call) }
}

const remove = (world: World, id: string): Outcome => {
  const batch = world.batches.get(id, "anthropic")
  if (batch === undefined) return { problem: noBatch(id) }
  if (batch.end === null) return { problem: invalid(`Batch ${id} is still being processed; cancel it before deleting it.`) }
  world.batches.remove(id)
  return { json: { id, type: "message_batch_deleted" } }
}

/** Newest first, cut by `limit`, `after_id` and `before_id`. */
const page = (call: Call) => {
  const all = call.world.batches.list("anthropic")
  for (const batch of all) call.world.batches.settle(batch)
  const limit = Number(call.query.get("limit") ?? 20)
  const after = call.query.get("after_id")
  const before = call.query.get("before_id")
  const place = (id: string) => all.findIndex((batch) => batch.id === id)
  const from = after !== null ? place(after) + 1 : before !== null ? Math.max(0, place(before) - limit) : 0
  const to = before !== null ? Math.max(0, place(before)) : from + limit
  const data = all.slice(from, to).map((batch) => showMessageBatch(batch, call))
  const has_more = before !== null ? from > 0 : to < all.length
  return { data, has_more, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
}

/** The MessageBatch object. Counts stay at `processing` until the whole batch has ended. */
const showMessageBatch = (batch: Batch, { req }: Pick<Call, "req">) => {
  const { end, completed, failed, canceled, expired } = batch
  const total = batch.total || batch.index.count
  const counts = { processing: 0, succeeded: completed, errored: failed, canceled, expired }
  return {
    id: batch.id,
    type: "message_batch",
    processing_status: end !== null ? "ended" : batch.cancelAt === null ? "in_progress" : "canceling",
    request_counts: end === null ? { processing: total, succeeded: 0, errored: 0, canceled: 0, expired: 0 } : counts,
    created_at: iso(batch.createdAt),
    expires_at: iso(batch.createdAt + 86_400_000),
    ended_at: iso(batch.endedAt),
    cancel_initiated_at: iso(batch.cancelAt),
    archived_at: null,
    results_url: end === null ? null : `http://${req.headers.host}/v1/messages/batches/${batch.id}/results`
  }
}
