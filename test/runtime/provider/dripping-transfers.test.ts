import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import { openai } from "../../../dsl/index.ts"
import type { Accounts } from "../../../runtime/provider/accounts.ts"
import { downloadLines } from "../../../runtime/provider/download.ts"
import { callAnthropic, callOpenAi } from "../../../runtime/provider/sdk.ts"
import { chunkedHead, drip, serve } from "../../support/drip-server.ts"

const model = openai("gpt-5-mini", { account: "desk", tier: "batch" })

/** Bytes of a file of results, one piece each so many ms; endless without a number of pieces. */
const pieces = (piece: string, ms: number, count = Number.POSITIVE_INFINITY): Response => {
  let sent = 0
  let timer: NodeJS.Timeout
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      timer = setInterval(() => {
        if (sent++ < count) return controller.enqueue(Buffer.from(piece))
        clearInterval(timer)
        controller.close()
      }, ms)
    },
    cancel: () => clearInterval(timer)
  })
  return new Response(body)
}

const read = (response: Response, timeoutMs: number) =>
  Stream.runCollect(Stream.flattenIterable(downloadLines({ model, timeoutMs, open: () => Effect.succeed(response) })))

layer(Layer.empty, { excludeTestServices: true })("a transfer that drips", (it) => {
  it.effect(
    "[EXE-7] for ever is no download: it fails as a timeout, and is read again from the start",
    Effect.fnUntraced(function* () {
      const error = yield* Effect.flip(read(pieces(" ", 10), 200))
      expect(error).toMatchObject({ reason: "timeout", isOutage: true })
      expect(error.detail).toContain("drips")
    })
  )

  it.effect(
    "control: in pieces, and longer than the limit of one piece takes, is read to its end",
    Effect.fnUntraced(function* () {
      const line = `{"custom_id":"a","text":"${"x".repeat(2_000)}"}\n`
      expect(yield* read(pieces(line, 10, 20), 100)).toHaveLength(20)
    })
  )

  it.effect(
    "[EXE-7] for ever behind whole headers is no reply of a file or batch call either",
    Effect.fnUntraced(function* () {
      const server = yield* serve((socket) => {
        socket.write(chunkedHead)
        drip(socket, "1\r\n \r\n")
      })
      const account = {
        name: "desk",
        engine: "openai" as const,
        baseUrl: `${server.origin}/v1`,
        key: null,
        timeoutMs: 100,
        isTimeoutOwn: true
      }
      const accounts: Accounts["Service"] = {
        of: () => account,
        limitsOf: () => ({ requestsPerMinute: null, tokensPerMinute: null, concurrencyMax: undefined }),
        reread: () => Effect.succeed(false)
      }
      const caller = { accounts, model }
      const calls = [
        callOpenAi(caller, (sdk, signal) => sdk.batches.retrieve("batch_1", { signal })).pipe(Effect.asVoid),
        callAnthropic(caller, (sdk, signal) => sdk.messages.batches.retrieve("batch_1", {}, { signal })).pipe(Effect.asVoid)
      ]
      for (const call of calls) expect(yield* Effect.flip(call)).toMatchObject({ reason: "timeout" })
      yield* Effect.promise(() => server.closed)
    })
  )
})
