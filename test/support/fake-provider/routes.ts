/** Which path leads where. */
import type { IncomingMessage, ServerResponse } from "node:http"

import {
  cancelMessageBatch,
  createMessageBatch,
  deleteMessageBatch,
  downloadResults,
  listMessageBatches,
  retrieveMessageBatch
} from "./anthropic-batches.ts"
import { messages } from "./anthropic.ts"
import { readText } from "./body.ts"
import { type Call, type Reply, runChore } from "./chore.ts"
import { control } from "./control.ts"
import type { Fake } from "./fake.ts"
import type { Chore } from "./faults.ts"
import { deleteFile, downloadFile, listFiles, retrieveFile, uploadFile } from "./file-routes.ts"
import { listModels } from "./models.ts"
import { cancelBatch, createBatch, listBatches, retrieveBatch } from "./openai-batches.ts"
import { bareChat, chat, responses } from "./openai.ts"
import type { Vendor } from "./problem.ts"
import type { Dialect } from "./question.ts"
import { complete } from "./realtime.ts"
import { sendProblem } from "./wire.ts"

const byPath = (dialects: ReadonlyArray<Dialect>): ReadonlyMap<string, Dialect> => new Map(dialects.map((dialect) => [dialect.path, dialect]))

const dialects = byPath([responses, chat, messages])
const bareDialects = byPath([bareChat])

interface Route {
  readonly vendor: Vendor
  readonly chore: Chore
  readonly act: (call: Call) => Reply | Promise<Reply>
}

const openai = (chore: Chore, act: Route["act"]): Route => ({ vendor: "openai", chore, act })
const anthropic = (chore: Chore, act: Route["act"]): Route => ({ vendor: "anthropic", chore, act })

/** By method and path, with a `*` where an id stands. */
const routes: ReadonlyMap<string, Route> = new Map([
  ["POST /v1/files", openai("upload", uploadFile)],
  ["GET /v1/files", openai("list", listFiles)],
  ["GET /v1/files/*", openai("file", retrieveFile)],
  ["GET /v1/files/*/content", openai("content", downloadFile)],
  ["DELETE /v1/files/*", openai("delete", deleteFile)],
  ["POST /v1/batches", openai("create", createBatch)],
  ["GET /v1/batches", openai("list", listBatches)],
  ["GET /v1/batches/*", openai("retrieve", retrieveBatch)],
  ["POST /v1/batches/*/cancel", openai("cancel", cancelBatch)],
  ["POST /v1/messages/batches", anthropic("create", createMessageBatch)],
  ["GET /v1/messages/batches", anthropic("list", listMessageBatches)],
  ["GET /v1/messages/batches/*", anthropic("retrieve", retrieveMessageBatch)],
  ["POST /v1/messages/batches/*/cancel", anthropic("cancel", cancelMessageBatch)],
  ["DELETE /v1/messages/batches/*", anthropic("delete", deleteMessageBatch)],
  ["GET /v1/messages/batches/*/results", anthropic("content", downloadResults)]
])

const idPattern = /^(\/v1\/files|\/v1\/batches|\/v1\/messages\/batches)\/([^/]+)/

/** Answers any request. */
export const handle = (fake: Fake, req: IncomingMessage, res: ServerResponse): void => {
  const { world } = fake
  const url = req.url ?? "/"
  const mark = url.indexOf("?")
  const path = mark < 0 ? url : url.slice(0, mark)
  const dialect = req.method === "POST" ? (world.isBare ? bareDialects : dialects).get(path) : undefined
  if (dialect !== undefined) return readText(req, (text) => complete(world, dialect, req, res, text))
  rest(fake, req, res, path, mark < 0 ? "" : url.slice(mark + 1)).catch((error: unknown) => {
    // A client that went away in the middle of its upload is no fault of the fake's.
    if (req.destroyed && !req.complete) return void world.ledger.aborted++
    process.stderr.write(`fake provider: ${error instanceof Error ? error.stack : String(error)}\n`)
    if (!res.headersSent) sendProblem(world, res, "openai", { status: 500, message: `The fake provider has a bug: ${String(error)}` })
    else res.destroy()
  })
}

const rest = async (fake: Fake, req: IncomingMessage, res: ServerResponse, path: string, search: string): Promise<void> => {
  if (path.startsWith("/__")) return control(fake, req, res, path)
  const { world } = fake
  const vendor = req.headers["anthropic-version"] === undefined ? "openai" : "anthropic"
  const base: Call = { world, vendor, req, res, query: new URLSearchParams(search), id: "" }
  if (req.method === "GET" && (path === "/v1/models" || path.startsWith("/v1/models/"))) {
    return runChore({ ...base, id: decodeURIComponent(path.slice("/v1/models/".length)) }, "models", listModels)
  }
  const id = idPattern.exec(path)?.[2] ?? ""
  const route = world.isBare ? undefined : routes.get(`${req.method} ${path.replace(idPattern, "$1/*")}`)
  if (route === undefined) {
    world.ledger.unknown++
    return sendProblem(world, res, vendor, { status: 404, message: `Invalid URL (${req.method} ${path})` })
  }
  return runChore({ ...base, vendor: route.vendor, id: decodeURIComponent(id) }, route.chore, route.act)
}
