/** Posts JSON to a URL: one try, no redirect, and never for longer than ten seconds. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Agent, request } from "undici"

import { NotDelivered } from "./channel.ts"

const timeoutMs = 10_000
/** Of what is answered nothing but the status counts. */
const answerBytesMax = 4_096

export type Post = (url: Redacted.Redacted<string>, body: unknown) => Effect.Effect<void, NotDelivered>

/** Its connections close with the scope, whatever hangs on them. */
export const openPost: Effect.Effect<Post, never, Scope.Scope> = Effect.gen(function* () {
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ connections: 4, pipelining: 1, connect: { timeout: timeoutMs }, maxResponseSize: 65_536 })),
    (open) => Effect.promise(() => open.destroy())
  )
  return (url, body) =>
    Effect.tryPromise({
      try: async (signal) => {
        const { statusCode, body: answer } = await request(Redacted.value(url), {
          method: "POST",
          headers: { "content-type": "application/json", "user-agent": "nightshift" },
          body: JSON.stringify(body),
          dispatcher: agent,
          signal
        })
        await answer.dump({ limit: answerBytesMax, signal })
        return statusCode
      },
      catch: (cause) => new NotDelivered({ detail: reasonOf(cause) })
    }).pipe(
      Effect.timeoutOrElse({
        duration: timeoutMs,
        orElse: () => Effect.fail(new NotDelivered({ detail: `no answer in ${timeoutMs / 1_000} s` }))
      }),
      Effect.flatMap((status) =>
        status >= 200 && status < 300 ? Effect.void : Effect.fail(new NotDelivered({ detail: `it answered HTTP ${status}` }))
      )
    )
})

/** A code alone: an error's text may quote the URL. */
const reasonOf = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : cause instanceof Error ? cause.name : "unknown error"
  return code === "ECONNREFUSED" ? "nobody listens at its address" : code === "ENOTFOUND" ? "its host is not known" : `no answer (${code})`
}
