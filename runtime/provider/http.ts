/** Requests over undici: no retry, a time limit, and an interruption that closes the socket. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Readable } from "node:stream"
import { Agent, type Dispatcher } from "undici"

/** Why no reply came. `wasSent` is false only where the request surely never reached the server. */
export class NoReply extends Schema.TaggedError<NoReply>()("NoReply", {
  reason: Schema.Literals(["timeout", "connection"]),
  detail: Schema.String,
  wasSent: Schema.Boolean
}) {}

export interface HttpRequest {
  readonly origin: string
  readonly path: string
  readonly method: "GET" | "POST" | "DELETE"
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Readable | null
  readonly timeoutMs: number
}

export interface HttpReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | Array<string> | undefined>>
  readonly body: string
}

/** A reply that is longer is cut off: no answer of a model is. */
const bodyBytesMax = 64 * 1024 * 1024
const connectionsMax = 1_024

/** One pool of connections an origin; closed with the scope. */
export const openHttp: Effect.Effect<Agent, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(
    () =>
      new Agent({
        connections: connectionsMax,
        pipelining: 1,
        keepAliveTimeout: 30_000,
        connect: { timeout: 10_000 },
        maxResponseSize: bodyBytesMax
      })
  ),
  (agent) => Effect.promise(() => agent.destroy())
)

/** Sends a request and reads the whole reply, whatever its status. */
export const send = (agent: Agent, { timeoutMs, ...request }: HttpRequest): Effect.Effect<HttpReply, NoReply> =>
  Effect.callback<HttpReply, NoReply>((resume) => {
    let controller: Dispatcher.DispatchController | null = null
    let isOver = false
    let wasSent = false
    let status = 0
    let headers: HttpReply["headers"] = {}
    let first: Buffer | null = null
    let rest: Array<Buffer> | null = null
    const end = (result: Effect.Effect<HttpReply, NoReply>): void => {
      if (isOver) return
      isOver = true
      resume(result)
    }
    agent.dispatch(
      { ...request, headersTimeout: timeoutMs, bodyTimeout: timeoutMs },
      {
        onRequestStart: (started) => {
          wasSent = true
          controller = started
          if (isOver) started.abort(new Error("interrupted"))
        },
        onResponseStart: (_, code, given) => {
          status = code
          headers = given
        },
        onResponseData: (_, chunk) => {
          if (first === null) first = chunk
          else (rest ??= [first]).push(chunk)
        },
        onResponseEnd: () => {
          const whole = rest === null ? first : Buffer.concat(rest)
          end(Effect.succeed({ status, headers, body: whole === null ? "" : whole.toString("utf8") }))
        },
        onResponseError: (_, error) => end(Effect.fail(noReply(error, wasSent)))
      }
    )
    return Effect.sync(() => {
      isOver = true
      controller?.abort(new Error("interrupted"))
    })
  })

const noReply = (error: Error, wasSent: boolean): NoReply => {
  const code = "code" in error ? String(error.code) : ""
  const isTimeout = code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT"
  return new NoReply({ reason: isTimeout ? "timeout" : "connection", detail: error.message === "" ? code : error.message, wasSent })
}
