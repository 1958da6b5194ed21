/** Reads items back from the manifest: what a resume, a replay and `runtime try` work on. */
import * as fs from "node:fs/promises"
import * as path from "node:path"

import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import type { SourceDefinition } from "../../dsl/index.ts"
import { makeDecoder } from "./make-row.ts"
import { makeFileParser } from "./parse-file.ts"
import { digestOf, relativeOf } from "./reference.ts"
import { fileError, InputChanged, SourceError } from "./source-error.ts"
import type { BodyReference } from "./source-item.ts"

export interface ItemReader<R = never> {
  /** The item of a body that `readSource` gave. Throws if it doesn't decode: the payload is damaged, or another schema wrote it. */
  readonly fromBody: (body: string) => unknown
  /** Reads the bytes again, refuses them if they changed, and for `files` parses them again. */
  readonly fromReference: (reference: BodyReference) => Effect.Effect<unknown, InputChanged | SourceError, R>
}

/** Compiles the schema once: keep the reader for all items of a run. `R` is what the source's `parse` needs, as in `readSource`. */
export const makeItemReader = <R = never>(definition: SourceDefinition): ItemReader<R> => {
  const decode = makeDecoder(definition)
  const parse = makeFileParser<R>(definition)

  const fromBody = (body: string): unknown => {
    const decoded = decode(JSON.parse(body))
    if (Result.isSuccess(decoded)) return decoded.success
    throw new Error(`The body of an item no longer fits its source's schema: ${decoded.failure}`)
  }

  const bodyOf = (reference: BodyReference, bytes: Buffer): Effect.Effect<string, SourceError, R> =>
    definition.format === "files"
      ? Effect.mapError(parse(relativeOf(reference.path), bytes), ({ reason }) => parseFailed(reference, reason))
      : Effect.succeed(bytes.toString("utf8"))

  const fromReference = Effect.fnUntraced(function* (reference: BodyReference) {
    const bytes = yield* readAgain(definition.format, reference)
    const body = yield* bodyOf(reference, bytes)
    // A body with the recorded digest that doesn't decode is the same corruption as above: a defect.
    return yield* Effect.sync(() => fromBody(body))
  })

  return { fromBody, fromReference }
}

const readAgain = Effect.fnUntraced(function* (format: SourceDefinition["format"], reference: BodyReference) {
  const file = path.normalize(reference.path)
  const failed = (cause: unknown) => {
    const error = fileError(format, file, cause)
    return error.reason === "missing" ? changed(reference, null, "is gone") : error
  }
  const { bytes, size } = yield* Effect.tryPromise({ try: () => readRange(reference), catch: failed })
  // An item of `files` is the whole file; a line of JSONL stays what it is when others are added below.
  if (format === "files" && size !== reference.length)
    return yield* changed(reference, null, `has ${size} bytes instead of ${reference.length}`)
  const found = digestOf(bytes)
  if (found !== reference.sha256)
    return yield* changed(reference, found, bytes.length < reference.length ? "has become shorter" : "has changed")
  return bytes
})

const readRange = async ({ path: file, offset, length }: BodyReference) => {
  const handle = await fs.open(file, "r")
  try {
    const bytes = Buffer.alloc(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return { bytes: bytes.subarray(0, filled), size: (await handle.stat()).size }
  } finally {
    await handle.close()
  }
}

const changed = (reference: BodyReference, found: string | null, detail: string): InputChanged =>
  new InputChanged({
    path: path.normalize(reference.path),
    offset: reference.offset,
    length: reference.length,
    expected: reference.sha256,
    found,
    detail
  })

const parseFailed = (reference: BodyReference, detail: string): SourceError =>
  new SourceError({ reason: "parse", format: "files", path: path.normalize(reference.path), detail, directory: process.cwd() })
