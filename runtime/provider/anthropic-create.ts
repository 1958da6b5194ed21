/** Creates a message batch: the spool file's lines as the body of one request, read as it is sent, since it may have 256 MB. */
import { createReadStream, statSync } from "node:fs"
import { Readable } from "node:stream"

import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

import { anthropicMessages } from "./anthropic-messages.ts"
import { send, type HttpAgent } from "./http.ts"
import { refusalOf } from "./http-reason.ts"
import { providerError, type ProviderError } from "./provider-error.ts"
import { mask } from "./redaction.ts"
import { jsonOf } from "./remote.ts"
import { bytesPerMsMin, withFreshKey, type Caller } from "./sdk.ts"

const opening = `{"requests":[`
const closing = "]}"
const lineFeed = 10
const comma = 44

/** Never tries again by itself: after a timeout or a broken connection the batch may be there. */
export const createAnthropicBatch = (agent: HttpAgent, caller: Caller, file: string): Effect.Effect<MessageBatch, ProviderError> =>
  withFreshKey(
    caller,
    Effect.suspend(() => {
      const { accounts, model } = caller
      const { key, baseUrl, timeoutMs } = accounts.of(model)
      const url = new URL(baseUrl)
      // Each line but the last ends with a comma instead of its break.
      const linesBytes = statSync(file).size - 1
      const sent = send(agent, {
        origin: url.origin,
        path: `${url.pathname.replace(/\/+$/, "")}/v1/messages/batches`,
        method: "POST",
        headers: {
          ...anthropicMessages.headers(key === null ? null : Redacted.value(key)),
          "content-length": String(opening.length + linesBytes + closing.length)
        },
        body: Readable.from(bodyOf(file, linesBytes)),
        timeoutMs: timeoutMs + Math.ceil(linesBytes / bytesPerMsMin)
      })
      const place = { model: model.name, account: model.account }
      return Effect.matchEffect(sent, {
        onFailure: ({ reason, detail, wasSent }) =>
          Effect.fail(
            providerError(wasSent ? { ...place, reason, detail } : { ...place, reason: "unreachable", detail: `${detail} (${baseUrl})` })
          ),
        onSuccess: ({ status, body }) =>
          status >= 200 && status < 300
            ? // The provider's own words, in the shape that its SDK declares; whoever reads it looks for the id first.
              Effect.succeed(jsonOf(body) as MessageBatch)
            : Effect.fail(providerError({ ...place, ...refusalOf(status, jsonOf(body) ?? mask(body)), status }))
      })
    })
  )

async function* bodyOf(file: string, linesBytes: number): AsyncGenerator<Buffer> {
  yield Buffer.from(opening)
  // `end` is the last byte that is read: the one before the last break.
  for await (const read of createReadStream(file, { end: linesBytes - 1, highWaterMark: 256 * 1024 })) {
    const chunk: Buffer = read
    // JSON has no bare line feeds, so each one ends a line.
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, at + 1)) chunk[at] = comma
    yield chunk
  }
  yield Buffer.from(closing)
}
