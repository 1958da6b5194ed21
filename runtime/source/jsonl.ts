/** JSON Lines: one row a line. A broken line is set aside and the next ones go on. */
import * as Stream from "effect/Stream"

import type { SourceDefinition } from "../../dsl/index.ts"
import type { FoundFile } from "./find-files.ts"
import { gather } from "./gather.ts"
import { jsonFault } from "./json-fault.ts"
import { makeLineSplitter, type Line } from "./lines.ts"
import { makeRow, rejected, type RawRow } from "./make-row.ts"
import { rowsOfFile } from "./read-blocks.ts"
import { referenceTo } from "./reference.ts"
import type { SourceError } from "./source-error.ts"
import type { SourceRow } from "./source-item.ts"
import { encodingReason, lossyExcerpt, textOf } from "./utf8.ts"

/** A longer line is set aside without being held in memory. */
const LINE_BYTES_MAX = 64 * 1024 * 1024

/** File after file. Blank lines are passed over; a last line without `\n` counts. */
export const readJsonl = (
  definition: SourceDefinition,
  files: ReadonlyArray<FoundFile>
): Stream.Stream<ReadonlyArray<SourceRow>, SourceError> => {
  const make = makeRow(definition)
  return Stream.flatMap(Stream.fromIterable(files), (file) => rowsOfFile("jsonl", file, (blocks) => rowsOf(blocks, file, make)))
}

async function* rowsOf(
  blocks: AsyncIterable<Buffer>,
  file: FoundFile,
  make: (raw: RawRow) => SourceRow
): AsyncGenerator<ReadonlyArray<SourceRow>> {
  const splitter = makeLineSplitter({ lineBytesMax: LINE_BYTES_MAX })
  const gathering = gather()
  for await (const block of blocks) {
    for (const line of splitter.push(block)) {
      if (!isBlank(line.bytes) && gathering.add(rowOf(line, file, make))) yield gathering.take()
    }
  }
  for (const line of splitter.end()) if (!isBlank(line.bytes)) gathering.add(rowOf(line, file, make))
  const rest = gathering.take()
  if (rest.length > 0) yield rest
}

const isBlank = (bytes: Buffer): boolean => {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false
  return true
}

const rowOf = ({ number, offset, bytes, isTooLong }: Line, file: FoundFile, make: (raw: RawRow) => SourceRow): SourceRow => {
  const place = { file: file.shown, line: number }
  if (isTooLong)
    return rejected("unreadable", "the line is longer than 64 MB: is it JSON Lines, with one row a line?", lossyExcerpt(bytes), place)
  const body = textOf(bytes)
  if (body === null) return rejected("encoding", encodingReason(bytes, "line"), lossyExcerpt(bytes), place)
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch (thrown) {
    return rejected("unreadable", jsonFault(body, thrown), body, place)
  }
  return make({ json, body, bytes: bytes.length, reference: referenceTo(file.path, offset, bytes), place })
}
