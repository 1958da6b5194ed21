/** Opens an input file for reading from start to end, and refuses what is plainly not text. */
import * as fs from "node:fs/promises"

import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { FoundFile } from "./find-files.ts"
import { fileError, SourceError } from "./source-error.ts"
import type { SourceRow } from "./source-item.ts"

/** 256 KB: larger blocks weren't faster. */
const BLOCK_BYTES = 256 * 1024

/** Streams a text file's rows through `rows`, which gets its bytes block by block. The file closes with the stream. */
export const rowsOfFile = (
  format: string,
  file: FoundFile,
  rows: (blocks: AsyncIterable<Buffer>) => AsyncIterable<ReadonlyArray<SourceRow>>
): Stream.Stream<ReadonlyArray<SourceRow>, SourceError> =>
  Stream.unwrap(
    Effect.map(openText(format, file), (handle) =>
      Stream.fromAsyncIterable(rows(blocksOf(handle)), (cause) => fileError(format, file.shown, cause))
    )
  )

const openText = Effect.fn("Source.openText")(function* (format: string, file: FoundFile) {
  const failed = (cause: unknown) => fileError(format, file.shown, cause)
  const handle = yield* Effect.acquireRelease(
    Effect.tryPromise({ try: () => fs.open(file.path, "r"), catch: failed }),
    // Closing waits for a read in flight, so an interrupted source leaves nothing open.
    (open) => Effect.promise(() => open.close())
  )
  const start = Buffer.alloc(4)
  const { bytesRead } = yield* Effect.tryPromise({ try: () => handle.read(start, 0, 4, 0), catch: failed })
  const mistake = mistakeIn(start.subarray(0, bytesRead), file.shown)
  if (mistake === null) return handle
  return yield* new SourceError({ reason: "format", format, path: file.shown, detail: mistake, directory: process.cwd() })
})

async function* blocksOf(handle: fs.FileHandle): AsyncGenerator<Buffer> {
  let position = 0
  for (;;) {
    // A new buffer each time: lines and cells are views on it until they are decoded.
    const block = Buffer.allocUnsafe(BLOCK_BYTES)
    const { bytesRead } = await handle.read(block, 0, BLOCK_BYTES, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield block.subarray(0, bytesRead)
  }
}

/** What a file is by its first bytes, when no line of it could be a row: one sentence now, instead of a million rejected rows. */
const mistakeIn = (start: Buffer, shown: string): string | null =>
  magics.find(([magic]) => start.subarray(0, magic.length).equals(Buffer.from(magic)))?.[1](shown) ?? null

const magics: ReadonlyArray<readonly [ReadonlyArray<number>, (shown: string) => string]> = [
  [[0x1f, 0x8b], (shown) => `compressed with gzip, not text. Unpack it: gunzip -k "${shown}"`],
  [[0x28, 0xb5, 0x2f, 0xfd], (shown) => `compressed with zstd, not text. Unpack it: unzstd "${shown}"`],
  [
    [0x50, 0x4b, 0x03, 0x04],
    (shown) => `a ZIP archive or an Office document, not text. Unpack it, or save the sheet as CSV: unzip "${shown}"`
  ],
  [[0x50, 0x41, 0x52, 0x31], () => "a Parquet file. Read it with parquet(…)"],
  [[0xff, 0xfe], (shown) => `UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 "${shown}"`],
  [[0xfe, 0xff], (shown) => `UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 "${shown}"`]
]
