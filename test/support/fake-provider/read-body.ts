/** How requests' bodies come in. */
import type { IncomingMessage } from "node:http"

/** Above Anthropic's 256 MB and OpenAI's 200 MB, so that it is the API that refuses, not this file. */
const textBytesMax = 32 * 2 ** 20

/** The whole body as text. A client that goes away is never heard of again; a body that is too long is `undefined`. */
export const readText = (req: IncomingMessage, then: (text: string | undefined) => void): void => {
  let first: Buffer | undefined
  let more: Array<Buffer> | undefined
  let bytes = 0
  req.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > textBytesMax) return
    if (first === undefined) first = chunk
    else (more ??= [first]).push(chunk)
  })
  req.on("end", () => {
    if (bytes > textBytesMax) then(undefined)
    else then(more === undefined ? (first?.toString() ?? "") : Buffer.concat(more).toString())
  })
}

interface Streaming {
  readonly bytesPerSecond: number
  readonly onChunk: (chunk: Buffer) => void
  readonly onEnd: () => void
  /** The client went away before the end. */
  readonly onLost: () => void
}

/** Chunk by chunk, at most at the given pace. */
export const readChunks = (req: IncomingMessage, { bytesPerSecond, onChunk, onEnd, onLost }: Streaming): void => {
  let isEnded = false
  req.on("data", (chunk: Buffer) => {
    onChunk(chunk)
    if (bytesPerSecond === 0) return
    req.pause()
    setTimeout(() => req.resume(), (chunk.length / bytesPerSecond) * 1000).unref()
  })
  req.on("end", () => {
    isEnded = true
    onEnd()
  })
  req.on("close", () => {
    if (!isEnded) onLost()
  })
}
