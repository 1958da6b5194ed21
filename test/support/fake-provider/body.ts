/** Reads what clients send. */
import type { IncomingMessage } from "node:http"

/** A request for one answer may be this long, as at Anthropic. */
export const bodyBytesMax = 32 * 2 ** 20

/** Calls `use` with the whole body, or with undefined where it is too long; never where the client is gone before its end. */
export const readText = (req: IncomingMessage, use: (text: string | undefined) => void): void => {
  const chunks: Array<Buffer> = []
  let bytes = 0
  req.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= bodyBytesMax) chunks.push(chunk)
    else chunks.length = 0
  })
  req.once("end", () => {
    if (bytes > bodyBytesMax) return use(undefined)
    const [first] = chunks
    return use(chunks.length === 1 && first !== undefined ? first.toString() : Buffer.concat(chunks).toString())
  })
}

/** As JSON; undefined where it is none. */
export const readJson = (req: IncomingMessage): Promise<unknown> =>
  new Promise((resolve) =>
    readText(req, (text) => {
      try {
        resolve(text === undefined ? undefined : JSON.parse(text))
      } catch {
        resolve(undefined)
      }
    })
  )
