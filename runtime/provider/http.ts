/** Requests over undici: no retry, a time limit, and an interruption that closes the socket. */
import * as Clock from "effect/Clock"
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
  /** Of the whole call, from the first look for a connection to the last byte of the reply: one that drips for ever ends too. */
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
/** How often the calls' time limits are looked at: none ends early, and none later than two looks after its limit. */
const lookMs = 100

/** A call's time limit. */
interface Limit {
  readonly at: number
  readonly end: () => void
}

/** One pool of connections an origin, and one watch over all calls' time limits: a timer of its own a call took a fifth of the call's work. */
export class HttpAgent extends Agent {
  readonly #limits = new Set<Limit>()
  #now = 0

  constructor() {
    super({
      connections: connectionsMax,
      pipelining: 1,
      keepAliveTimeout: 30_000,
      connect: { timeout: 10_000 },
      // The watch is stricter than undici's own limits, which begin anew with each piece of a reply.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: bodyBytesMax
    })
  }

  /** Calls `end` in `ms`, unless it is called off before. */
  limit(ms: number, end: () => void): Limit {
    const limit = { at: this.#now + ms + lookMs, end }
    this.#limits.add(limit)
    return limit
  }

  callOff(limit: Limit): void {
    this.#limits.delete(limit)
  }

  /** Runs as long as there may be calls. */
  readonly watch: Effect.Effect<never> = Effect.flatMap(Clock.Clock, (clock) => {
    const start = clock.monotonicTimeNanosUnsafe()
    const look = Effect.sync(() => {
      this.#now = Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6
      for (const limit of this.#limits) if (limit.at <= this.#now && this.#limits.delete(limit)) limit.end()
    })
    return Effect.forever(Effect.andThen(Effect.sleep(lookMs), look))
  })
}

/** Closed with the scope. */
export const openHttp: Effect.Effect<HttpAgent, never, Scope.Scope> = Effect.tap(
  Effect.acquireRelease(
    Effect.sync(() => new HttpAgent()),
    (agent) => Effect.promise(() => agent.destroy())
  ),
  (agent) => Effect.forkScoped(agent.watch)
)

/** Sends a request and reads the whole reply, whatever its status. */
export const send = (agent: HttpAgent, request: HttpRequest): Effect.Effect<HttpReply, NoReply> =>
  Effect.callback<HttpReply, NoReply>((resume) => {
    let controller: Dispatcher.DispatchController | null = null
    let isOver = false
    let wasSent = false
    let isAnswering = false
    let status = 0
    let headers: HttpReply["headers"] = {}
    let first: Buffer | null = null
    let rest: Array<Buffer> | null = null
    const end = (result: Effect.Effect<HttpReply, NoReply>): void => {
      if (isOver) return
      isOver = true
      agent.callOff(limit)
      resume(result)
    }
    const limit = agent.limit(request.timeoutMs, () => {
      const detail = `${isAnswering ? "the answer was still coming" : "nothing came"} after ${request.timeoutMs} ms`
      end(Effect.fail(new NoReply({ reason: "timeout", detail, wasSent })))
      controller?.abort(new Error("late"))
    })
    agent.dispatch(request, {
      onRequestStart: (started) => {
        wasSent = true
        controller = started
        if (isOver) started.abort(new Error("interrupted"))
      },
      onResponseStart: (_, code, given) => {
        isAnswering = true
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
    })
    return Effect.sync(() => {
      isOver = true
      agent.callOff(limit)
      controller?.abort(new Error("interrupted"))
    })
  })

const noReply = (error: Error, wasSent: boolean): NoReply => {
  const code = "code" in error ? String(error.code) : ""
  return new NoReply({ reason: "connection", detail: error.message === "" ? code : error.message, wasSent })
}
