import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { openHttp, send, type HttpRequest } from "../../../runtime/provider/http.ts"
import { chunkedHead, drip, serve } from "../../support/drip-server.ts"

const request = (origin: string, timeoutMs: number): HttpRequest => ({
  origin,
  path: "/v1/responses",
  method: "POST",
  headers: {},
  body: "{}",
  timeoutMs
})

layer(Layer.empty, { excludeTestServices: true })("a call over HTTP", (it) => {
  it.effect(
    "[EXE-7] to a server that drips its answer for ever ends at its time limit, counts as sent, and closes the socket",
    Effect.fnUntraced(function* () {
      const server = yield* serve((socket) => {
        socket.write(chunkedHead)
        drip(socket, "1\r\n \r\n")
      })
      const error = yield* Effect.flip(send(yield* openHttp, request(server.origin, 300)))
      expect(error).toMatchObject({ reason: "timeout", wasSent: true })
      expect(error.detail).toContain("still coming")
      yield* Effect.promise(() => server.closed)
    })
  )

  it.effect(
    "[EXE-7] to a server that drips its headers for ever ends too",
    Effect.fnUntraced(function* () {
      const server = yield* serve((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nx-drip: ")
        drip(socket, "a")
      })
      expect(yield* Effect.flip(send(yield* openHttp, request(server.origin, 300)))).toMatchObject({ reason: "timeout", wasSent: true })
      yield* Effect.promise(() => server.closed)
    })
  )

  it.effect(
    "control: one that answers slowly, within the limit, is read to the end",
    Effect.fnUntraced(function* () {
      const server = yield* serve((socket) => {
        socket.write(chunkedHead)
        let pieces = 0
        const timer = setInterval(() => {
          socket.write(++pieces < 5 ? "1\r\n7\r\n" : "0\r\n\r\n")
          if (pieces === 5) clearInterval(timer)
        }, 20)
      })
      expect(yield* send(yield* openHttp, request(server.origin, 60_000))).toMatchObject({ status: 200, body: "7777" })
    })
  )

  it.effect(
    "to a port where nothing listens was never sent",
    Effect.fnUntraced(function* () {
      const server = yield* Effect.scoped(serve(() => undefined))
      expect(yield* Effect.flip(send(yield* openHttp, request(server.origin, 60_000)))).toMatchObject({
        reason: "connection",
        wasSent: false
      })
    })
  )
})
