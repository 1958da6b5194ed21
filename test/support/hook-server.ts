/** A webhook on 127.0.0.1 for the tests of channels: it answers what it is told to, or never. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"

export type Answer = number | "never"

/** Slack's form has `text` alone. */
export interface PostedBody {
  readonly text: string
  readonly kind?: string
  readonly [field: string]: unknown
}

/** What was posted comes as a queue: a test waits for the next post, never for a time. */
export const openHookServer = Effect.gen(function* () {
  const posts = yield* Queue.unbounded<{ readonly path: string; readonly body: PostedBody }>()
  const server = { answer: 200 as Answer }
  const held = new Set<ServerResponse>()
  const http = createServer((request, response) => {
    let text = ""
    request.setEncoding("utf8").on("data", (part: string) => (text += part))
    request.on("end", () => {
      if (server.answer === "never") held.add(response)
      else response.writeHead(server.answer).end("so it is")
      Queue.offerUnsafe(posts, { path: request.url ?? "", body: JSON.parse(text) as PostedBody })
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void http.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        http.closeAllConnections()
        http.close()
      })
  )
  const { port } = http.address() as AddressInfo
  return { server, url: `http://127.0.0.1:${port}/services/T0/B0/a-secret-of-many-letters`, next: Queue.take(posts), posts }
})
