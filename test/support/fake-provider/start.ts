/** A model provider of our own on 127.0.0.1: speaks OpenAI's and Anthropic's APIs, goes wrong on demand and keeps books of what was paid. */
import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"

import { anthropicChore, anthropicModels } from "./anthropic-chores.ts"
import { messages } from "./anthropic.ts"
import type { Author } from "./answer.ts"
import { type Call, doChore, isLetIn } from "./chore.ts"
import { type BatchOverview, control, overviews } from "./control.ts"
import { type Faults, type FaultsPatch, mergeFaults, noFaults } from "./faults.ts"
import type { FakeStats, Payment } from "./ledger.ts"
import { openaiChore } from "./openai-chores.ts"
import { bareChat, chat, responses } from "./openai.ts"
import type { Dialect } from "./question.ts"
import { readText } from "./read-body.ts"
import { complete } from "./realtime.ts"
import { sendProblem } from "./wire.ts"
import { type SeenRequest, World } from "./world.ts"

export interface FakeProviderOptions {
  /** Default 0: a free one. */
  readonly port?: number
  /** Speaks as a server of open models: Chat Completions alone, no rate headers, no files, no batches, no keys. */
  readonly isBare?: boolean
  /** Changes to a world in which all is well. */
  readonly faults?: FaultsPatch
  /** Answers of the author's own; undefined leaves an answer to the schema. */
  readonly answer?: Author
  /** How many requests are kept for `requests()`. Default 0. */
  readonly keepRequests?: number
}

export interface FakeProvider extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:<port>`. */
  readonly url: string
  /** What `OPENAI_BASE_URL` takes. */
  readonly openaiUrl: string
  /** What `ANTHROPIC_BASE_URL` takes. */
  readonly anthropicUrl: string
  /** For a child process: both base URLs and a key for each. */
  readonly env: Readonly<Record<"OPENAI_BASE_URL" | "OPENAI_API_KEY" | "ANTHROPIC_BASE_URL" | "ANTHROPIC_API_KEY", string>>
  readonly stats: () => FakeStats
  /** Every paid request, in order. */
  readonly ledger: () => ReadonlyArray<Payment>
  /** Every batch, oldest first. */
  readonly batches: () => ReadonlyArray<BatchOverview>
  readonly requests: () => ReadonlyArray<SeenRequest>
  /** Changes what the patch names, and says what is in force. */
  readonly faults: (patch?: FaultsPatch) => Faults
  /** Forgets everything: faults are those of the start, with the patch. */
  readonly reset: (patch?: FaultsPatch) => void
  readonly close: () => Promise<void>
}

const dialectsOf = (isBare: boolean): ReadonlyMap<string, Dialect> =>
  new Map((isBare ? [bareChat] : [responses, chat, messages]).map((dialect) => [dialect.path, dialect]))

/** Everything but answers. */
const route = (world: World, path: string, search: string, req: IncomingMessage, res: ServerResponse): void => {
  const vendor = path.startsWith("/v1/messages") || req.headers["anthropic-version"] !== undefined ? "anthropic" : "openai"
  const call: Call = { world, vendor, req, res, query: new URLSearchParams(search) }
  if (!isLetIn(call)) {
    req.resume()
    return
  }
  const method = req.method ?? "GET"
  const parts = path.split("/").slice(2)
  const isServed = !world.isBare || path === "/v1/models"
  if (isServed && path.startsWith("/v1/")) {
    if (vendor === "openai" && openaiChore(call, method, parts)) return
    if (vendor === "anthropic" && path === "/v1/models") return doChore(call, "list", () => anthropicModels(world))
    if (path.startsWith("/v1/messages/batches") && anthropicChore(call, method, parts.slice(2))) return
  }
  req.resume()
  sendProblem(world, res, vendor, { status: 404, message: `Invalid URL (${method} ${path})` })
}

const listen = async (server: Server, port: number): Promise<number> => {
  server.listen({ port, host: "127.0.0.1", backlog: 4096 })
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the fake provider listens on no port")
  return address.port
}

/** Starts it. Nothing outlives `close`, and nothing keeps a process alive but the open port. */
export const startFakeProvider = async (options: FakeProviderOptions = {}): Promise<FakeProvider> => {
  const { isBare = false, answer, keepRequests = 0 } = options
  const initial = mergeFaults(noFaults, options.faults ?? {})
  const open = (faults: Faults) => new World({ faults, isBare, author: answer, keepRequests })
  let world = open(initial)
  const reset = (patch: unknown): void => {
    const faults = mergeFaults(initial, patch)
    world.close()
    world = open(faults)
  }
  const dialects = dialectsOf(isBare)

  const server = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0, headersTimeout: 0, noDelay: true }, (req, res) => {
    const url = req.url ?? "/"
    const mark = url.indexOf("?")
    const path = mark < 0 ? url : url.slice(0, mark)
    const dialect = req.method === "POST" ? dialects.get(path) : undefined
    // A reset doesn't reach back: a request ends in the world that it came to.
    const here = world
    if (dialect !== undefined) readText(req, (text) => complete(here, dialect, req, res, text ?? ""))
    else if (path.startsWith("/__")) control(here, path, req, res, reset)
    else route(here, path, mark < 0 ? "" : url.slice(mark + 1), req, res)
  })
  const port = await listen(server, options.port ?? 0)
  const url = `http://127.0.0.1:${port}`

  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, "close")
    server.close()
    server.closeAllConnections()
    world.close()
    await closed
  }
  return {
    port,
    url,
    openaiUrl: `${url}/v1`,
    anthropicUrl: url,
    env: {
      OPENAI_BASE_URL: `${url}/v1`,
      OPENAI_API_KEY: "fake-openai-key",
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_KEY: "fake-anthropic-key"
    },
    stats: () => world.ledger.stats(),
    ledger: () => world.ledger.payments,
    batches: () => overviews(world),
    requests: () => world.seen,
    faults: (patch = {}) => {
      world.change(patch)
      return world.box.current
    },
    reset: (patch = {}) => reset(patch),
    close,
    [Symbol.asyncDispose]: close
  }
}
