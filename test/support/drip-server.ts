/** A server that answers byte by byte, for as long as anybody listens. */
import { once } from "node:events"
import { createServer, type Socket } from "node:net"

import * as Effect from "effect/Effect"

/** A server that writes what it is told to, whatever it is asked, until the scope ends. */
export const serve = (answer: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Socket>()
      const closed = Promise.withResolvers<void>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => undefined)
        socket.on("close", () => closed.resolve())
        socket.once("data", () => answer(socket))
      })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const address = server.address()
      if (address === null || typeof address === "string") throw new Error("It listens on no port")
      const close = (): void => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      return { origin: `http://127.0.0.1:${address.port}`, closed: closed.promise, close }
    }),
    ({ close }) => Effect.sync(close)
  )

/** Writes a text again and again, until the other side hangs up. */
export const drip = (socket: Socket, text: string): void => {
  const timer = setInterval(() => socket.write(text), 20)
  socket.once("close", () => clearInterval(timer))
}

/** A reply begins; its pieces are chunks. */
export const chunkedHead = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
