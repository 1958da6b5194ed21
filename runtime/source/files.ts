/** Folders of files, one item each. */
import * as fs from "node:fs/promises"

import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"

import type { SourceDefinition } from "../../dsl/index.ts"
import type { FoundFile } from "./find-files.ts"
import { gathered } from "./gather.ts"
import { makeRow, rejected } from "./make-row.ts"
import { makeFileParser } from "./parse-file.ts"
import { cutPath, referenceTo } from "./reference.ts"
import { fileError, type SourceError } from "./source-error.ts"
import type { SourceRow } from "./source-item.ts"
import { lossyExcerpt } from "./utf8.ts"

/** Files parsed at the same time. A parser that computes has one thread anyway; one that waits gains. */
const FILES_MAX = 8
/** What the files in hand may weigh together; a larger one is read alone. */
const IN_HAND_MB = 64
/** A larger file is rejected: it wouldn't fit in memory beside its parsed form. */
const FILE_MB_MAX = 512
const MB = 1024 * 1024

/** In the order of `files`, however long each takes to parse. */
export const readFiles = <R>(
  definition: SourceDefinition,
  files: ReadonlyArray<FoundFile>
): Stream.Stream<ReadonlyArray<SourceRow>, SourceError, R> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const inHand = yield* Semaphore.make(IN_HAND_MB)
      const rowOf = makeReader<R>(definition)
      const admitted = Effect.fnUntraced(function* (file: FoundFile) {
        const { size } = yield* Effect.tryPromise({
          try: () => fs.stat(file.path),
          catch: (cause) => fileError("files", file.shown, cause)
        })
        const weight = Math.min(IN_HAND_MB, Math.max(1, Math.ceil(size / MB)))
        return yield* inHand.withPermits(weight)(rowOf(file, size))
      })
      return gathered(Stream.mapEffect(Stream.fromIterable(files), admitted, { concurrency: FILES_MAX }))
    })
  )

const makeReader = <R>(definition: SourceDefinition) => {
  const make = makeRow(definition)
  const parse = makeFileParser<R>(definition)
  return Effect.fnUntraced(function* (file: FoundFile, size: number): Effect.fn.Return<SourceRow, SourceError, R> {
    const place = { file: file.shown, line: null }
    if (size > FILE_MB_MAX * MB) return rejected("unreadable", `the file is larger than ${FILE_MB_MAX} MB`, "", place)
    const bytes = yield* Effect.tryPromise({
      try: (signal) => fs.readFile(file.path, { signal }),
      catch: (cause) => fileError("files", file.shown, cause)
    })
    const reference = referenceTo(cutPath(file), 0, bytes)
    return yield* Effect.match(parse(file.relative, bytes), {
      onFailure: ({ code, reason }): SourceRow => ({ ...rejected(code, reason, "", place), excerpt: lossyExcerpt(bytes) }),
      // Decoded from the text that a resume will decode, so both see the same item.
      onSuccess: (body) => make({ json: JSON.parse(body), body, bytes: Buffer.byteLength(body), reference, place, file: file.relative })
    })
  })
}
