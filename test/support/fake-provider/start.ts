/** Starts the fake provider inside the process that tests with it. */
import { createServer } from "node:http"

import type { Author } from "./answer.ts"
import { Fake } from "./fake.ts"
import type { Faults, FaultsPatch } from "./faults.ts"
import type { FakeStats } from "./ledger.ts"
import { handle } from "./routes.ts"
import type { FakeLedger, SeenRequest } from "./world.ts"

export interface FakeProviderOptions {
  /** Default 0: any free port. */
  readonly port?: number
  /** In force from the start and after each reset; default is `noFaults`: 20 ms a call and all is well. */
  readonly faults?: FaultsPatch
  /** Speaks as a server of open models: Chat Completions and the model list alone, no rate headers, no keys. */
  readonly isBare?: boolean
  /** Writes answers itself: a text is sent as it is, anything else as JSON, undefined leaves the answer to the schema. */
  readonly author?: Author
  /** How many request bodies `requests()` keeps, the first ones; default 0. */
  readonly keepRequests?: number
}

export interface FakeProvider extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** For `OPENAI_BASE_URL`. */
  readonly openaiUrl: string
  /** For `ANTHROPIC_BASE_URL`. */
  readonly anthropicUrl: string
  readonly stats: () => FakeStats
  readonly ledger: () => FakeLedger
  readonly requests: () => ReadonlyArray<SeenRequest>
  readonly faults: () => Faults
  /** Merges a patch into the faults in force; a name that doesn't exist throws. */
  readonly setFaults: (patch: FaultsPatch) => void
  /** Forgets files, batches, books and caches; faults are as they were at the start. */
  readonly reset: () => void
  /** Ends every connection. */
  readonly close: () => Promise<void>
}

/** Resolves once the server listens on 127.0.0.1. */
export const startFakeProvider = async (options: FakeProviderOptions = {}): Promise<FakeProvider> => {
  const { port = 0, faults = {}, isBare = false, author, keepRequests = 0 } = options
  const fake = new Fake({ faults, isBare, author, keepRequests })
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 0, noDelay: true }, (req, res) =>
    handle(fake, req, res)
  )
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen({ port, host: "127.0.0.1", backlog: 4096 }, resolve)
  })
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("a listening server has a port")
  const url = `http://127.0.0.1:${address.port}`
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
      fake.world.close()
    })
  return {
    port: address.port,
    url,
    openaiUrl: `${url}/v1`,
    anthropicUrl: url,
    stats: () => fake.stats(),
    ledger: () => fake.ledger(),
    requests: () => fake.requests(),
    faults: () => fake.faults(),
    setFaults: (patch) => fake.setFaults(patch),
    reset: () => fake.reset(),
    close,
    [Symbol.asyncDispose]: close
  }
}
