/** `/__…`: what a test or a shell asks and tells the fake itself. */
import type { IncomingMessage, ServerResponse } from "node:http"

import type { Batch } from "./batch.ts"
import { readText } from "./read-body.ts"
import type { World } from "./world.ts"

/** One batch of either vendor, for a look from outside. */
export const overview = (batch: Batch) => ({
  id: batch.id,
  vendor: batch.dialect.vendor,
  model: batch.model,
  status: batch.end ?? (batch.cancelAt === null ? batch.phase : "cancelling"),
  createdAt: batch.createdAt,
  endedAt: batch.endedAt,
  total: batch.total,
  completed: batch.completed,
  failed: batch.failed,
  missing: batch.missing,
  unprocessed: batch.canceled + batch.expired,
  inputFile: batch.inputFile,
  outputFile: batch.outputFile,
  errorFile: batch.errorFile,
  metadata: batch.metadata
})

export type BatchOverview = ReturnType<typeof overview>

/** All batches, oldest first. */
export const overviews = (world: World): ReadonlyArray<BatchOverview> =>
  [...world.batches.batches.values()].map((batch) => {
    world.batches.settle(batch)
    return overview(batch)
  })

const send = (res: ServerResponse, status: number, text: string): void => {
  res.writeHead(status, { "content-type": "application/json" })
  res.end(text)
}

/** Answers a control call. `reset` replaces the world. */
export const control = (world: World, path: string, req: IncomingMessage, res: ServerResponse, reset: (faults: unknown) => void): void => {
  readText(req, (text) => {
    try {
      switch (`${req.method} ${path}`) {
        case "GET /__stats":
          return send(res, 200, JSON.stringify(world.ledger.stats()))
        case "GET /__ledger":
          return sendLedger(world, res)
        case "GET /__batches":
          return send(res, 200, JSON.stringify(overviews(world)))
        case "GET /__requests":
          return send(res, 200, JSON.stringify(world.seen))
        case "GET /__faults":
          return send(res, 200, JSON.stringify(world.box.current))
        case "POST /__faults":
          world.change(JSON.parse(text ?? ""))
          return send(res, 200, JSON.stringify(world.box.current))
        case "POST /__reset":
          reset(text === undefined || text === "" ? {} : JSON.parse(text))
          return send(res, 200, "{}")
        default:
          return send(res, 404, JSON.stringify({ error: `there is no ${req.method} ${path}` }))
      }
    } catch (error) {
      return send(res, 400, JSON.stringify({ error: error instanceof Error ? error.message : String(error) }))
    }
  })
}

/** Line by line into one JSON list: a list of millions as one text would be longer than a string may be. */
const sendLedger = (world: World, res: ServerResponse): void => {
  res.writeHead(200, { "content-type": "application/json" })
  const { payments } = world.ledger
  const slice = 5000
  let at = 0
  const next = (): void => {
    while (at < payments.length && !res.destroyed) {
      const piece = payments.slice(at, at + slice).map((payment) => JSON.stringify(payment))
      const text = `${at === 0 ? "[" : ","}${piece.join(",")}`
      at += piece.length
      if (!res.write(text)) {
        res.once("drain", next)
        return
      }
    }
    res.end(payments.length === 0 ? "[]" : "]")
  }
  next()
}
