/** Cuts CSV into records with csv-parse, and adds what it doesn't tell: the line, the exact bytes, and whether the quotes are right. */
import { CsvError, Parser } from "csv-parse"

import type { FoundFile } from "./find-files.ts"
import { SourceError } from "./source-error.ts"
import { textOf } from "./utf8.ts"

export interface CsvRecord {
  /** Of its first character, from 1. */
  readonly line: number
  /** How many lines it spans. */
  readonly lines: number
  readonly cells: ReadonlyArray<string>
  /** As in the file, without the line's ending; null if it isn't UTF-8. */
  readonly text: string | null
  readonly bytes: () => Buffer
  /** False where RFC 4180 doesn't allow its quotes. */
  readonly isWellFormed: boolean
}

/** A longer record stops the source: nearly always it is a quote that nothing closes. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024

/** The records that end in each block, then what stands on the last line. Blank lines are passed over, a BOM is dropped. */
export async function* csvRecords(blocks: AsyncIterable<Buffer>, file: FoundFile): AsyncGenerator<ReadonlyArray<CsvRecord>> {
  const { parser, take } = makeParser()
  const locate = makeLocator()
  try {
    let isFirst = true
    for await (const block of blocks) {
      const bytes = isFirst && block.subarray(0, 3).equals(BOM) ? block.subarray(3) : block
      isFirst = false
      await settled((done) => parser.write(bytes, done))
      yield take().map(locate)
    }
    await settled((done) => parser.end(done))
    yield take().map(locate)
  } catch (cause) {
    yield take().map(locate)
    if (!(cause instanceof CsvError) || typeof cause["raw"] !== "string") throw cause
    // Alone on its line, an open quote spoils one row. With lines behind it, nobody can say how many it has swallowed.
    const record = locate({ cells: [], raw: cause["raw"] })
    if (record.lines > 1 || cause.code !== "CSV_QUOTE_NOT_CLOSED") throw unclosed(file, record.line)
    yield [record]
  } finally {
    parser.destroy()
  }
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf])

interface Cut {
  readonly cells: ReadonlyArray<string>
  /** Bytes as characters: the blank lines before the record, the record, and the first byte of its line's ending. */
  readonly raw: string
}

const makeParser = () => {
  let cuts: Array<Cut> = []
  const parser = new Parser({
    // Bytes as characters: a cell comes back as it was, and is decoded here, where broken UTF-8 can be named.
    encoding: "latin1",
    record_delimiter: ["\r\n", "\n"],
    skip_empty_lines: true,
    relax_column_count: true,
    // A stray quote is taken literally, so that reading goes on at the next line; `isWellFormed` finds it.
    relax_quotes: true,
    max_record_size: RECORD_BYTES_MAX,
    raw: true,
    on_record: (record: unknown) => {
      // The cast: with `raw`, csv-parse gives these two, which its types don't say.
      const { record: cells, raw } = record as { record: ReadonlyArray<string>; raw: string }
      cuts.push({ cells, raw })
      return null
    }
  })
  // Each write reports its own error; without a listener Node would end the process as well.
  parser.on("error", () => {})
  const take = (): ReadonlyArray<Cut> => {
    const taken = cuts
    cuts = []
    return taken
  }
  return { parser, take }
}

const settled = (start: (done: (error?: Error | null) => void) => unknown): Promise<void> =>
  new Promise((resolve, reject) => start((error) => (error === undefined || error === null ? resolve() : reject(error))))

const makeLocator = (): ((cut: Cut) => CsvRecord) => {
  let next = 1
  return ({ cells, raw }) => {
    const blank = /^[\r\n]*/.exec(raw)?.[0].length ?? 0
    const body = raw.slice(blank).replace(/[\r\n]$/, "")
    const line = next + blank
    const lines = body.split("\n").length
    next = line + lines
    const isWellFormed = !body.includes('"') || wellFormed.test(body)
    if (!beyondAscii.test(body)) return { line, lines, cells, text: body, bytes: () => Buffer.from(body, "latin1"), isWellFormed }
    const bytes = Buffer.from(body, "latin1")
    const text = textOf(bytes)
    const decoded = text === null ? cells : cells.map((cell) => Buffer.from(cell, "latin1").toString("utf8"))
    return { line, lines, cells: decoded, text, bytes: () => bytes, isWellFormed }
  }
}

const beyondAscii = /[\u0080-\u00ff]/
const wellFormed = /^(?:"[^"]*(?:""[^"]*)*"|[^",\n]*)(?:,(?:"[^"]*(?:""[^"]*)*"|[^",\n]*))*$/

const unclosed = (file: FoundFile, line: number): SourceError =>
  new SourceError({
    reason: "format",
    format: "csv",
    path: `${file.shown}:${line}`,
    detail:
      "a quote is opened in the row that starts here and never closed, so the rest of the file can't be told apart into rows. Close it",
    directory: process.cwd()
  })
