/** Results as they come over the wire: line by line in bounded memory, or a failure where they break off. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { Model } from "../../dsl/index.ts"
import type { BatchLine } from "./batch-provider.ts"
import { fieldsOf, textOf } from "./dialect.ts"
import { LineCutter } from "./lines.ts"
import { providerError, type ProviderError } from "./provider-error.ts"
import { mask } from "./redaction.ts"
import { jsonOf } from "./remote.ts"
import { bytesPerMsMin, sdkError } from "./sdk.ts"

/** A group is handed on when it has so many lines, or characters. */
const linesMax = 500
const charactersMax = 8_000_000

export interface Download {
  readonly model: Model
  /** Between one piece and the next; and of the whole, with what its bytes take at the slowest pace of a line that counts as working. */
  readonly timeoutMs: number
  /** Asks for the bytes; `signal` closes the socket however far they came. */
  readonly open: (signal: AbortSignal) => Effect.Effect<Response, ProviderError>
}

/** The lines of a file of results, in groups of at most 500. */
export const downloadLines = ({ model, timeoutMs, open }: Download): Stream.Stream<ReadonlyArray<BatchLine>, ProviderError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => new AbortController()),
        (controller) => Effect.sync(() => controller.abort())
      )
      const { body } = yield* open(socket.signal)
      return body === null ? Stream.empty : Stream.fromPull(Effect.succeed(groupsOf(body.getReader(), { model, timeoutMs })))
    })
  )

type Reader = ReadableStreamDefaultReader<Uint8Array>

const groupsOf = (reader: Reader, { model, timeoutMs }: Pick<Download, "model" | "timeoutMs">) => {
  const cutter = new LineCutter()
  let group: Array<BatchLine> = []
  let characters = 0
  let isOver = false
  let waitedMs = 0
  let bytes = 0
  const add = (text: string): boolean => {
    const customId = textOf(fieldsOf(jsonOf(text))["custom_id"])
    // A line that is no JSON names nobody: its request will be found missing.
    if (customId === null) return false
    // It is stored as it stands until it is judged.
    group.push({ customId, body: mask(text) })
    characters += text.length
    return true
  }
  const take = (): readonly [ReadonlyArray<BatchLine>] => {
    const lines = group.length > linesMax ? group.splice(0, linesMax) : group
    if (lines === group) group = []
    characters = group.reduce((sum, { body }) => sum + body.length, 0)
    return [lines]
  }
  return Effect.gen(function* () {
    // Ends with the file, whose size the provider bounds.
    for (;;) {
      if (group.length >= linesMax || characters >= charactersMax || (isOver && group.length > 0)) return take()
      if (isOver) return yield* Cause.done()
      const askedAt = yield* Clock.currentTimeMillis
      const { done, value } = yield* readPiece(reader, model, timeoutMs)
      // Not what passes between two reads: a store that is slow is no fault of the provider's.
      waitedMs += (yield* Clock.currentTimeMillis) - askedAt
      bytes += value?.byteLength ?? 0
      if (!done && waitedMs > timeoutMs + bytes / bytesPerMsMin)
        return yield* late(model, `the download drips: ${bytes} bytes came in ${waitedMs} ms`)
      if (value !== undefined) cutter.push(value).forEach(add)
      if (!done) continue
      isOver = true
      const rest = cutter.rest()
      if (rest !== "" && !add(rest)) return yield* cutOff(model, "the last line is not whole")
      if (cutter.passed > 0)
        yield* Effect.logWarning(`${cutter.passed} lines of a batch's results are longer than 64 MiB: they are passed over.`)
    }
  })
}

const readPiece = (reader: Reader, model: Model, timeoutMs: number) =>
  Effect.tryPromise(() => reader.read()).pipe(
    Effect.catch(({ cause }) => Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(sdkError(model, cause, now)))),
    Effect.timeoutOrElse({
      duration: timeoutMs,
      orElse: () => late(model, "the download stands still")
    })
  )

const late = ({ name, account }: Model, detail: string) => Effect.fail(providerError({ model: name, account, reason: "timeout", detail }))

const cutOff = ({ name, account }: Model, detail: string) =>
  Effect.fail(providerError({ model: name, account, reason: "connection", detail: `the download broke off: ${detail}` }))
