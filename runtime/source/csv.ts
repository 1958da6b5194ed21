/** CSV with a header line, by RFC 4180. A row that breaks the rules is set aside and the next ones go on. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { SourceDefinition } from "../../dsl/index.ts"
import { csvRecords, type CsvRecord } from "./csv-records.ts"
import type { FoundFile } from "./find-files.ts"
import { portions } from "./gather.ts"
import { makeRowOfJson, rejected } from "./make-row.ts"
import { rowsOfFile } from "./read-blocks.ts"
import { SourceError } from "./source-error.ts"
import type { Place, SourceRow } from "./source-item.ts"
import { encodingReason, lossyExcerpt } from "./utf8.ts"

/**
 * File after file; each has its own header, and a file with only that has no rows.
 *
 * Each row has all columns of the header. A cell is a string; an empty one, and one that reads `NaN`, is null: a schema says
 * `Schema.NullOr(…)` where a cell may be empty, and `Schema.FiniteFromString` for a number. Columns that the schema doesn't name
 * are ignored. `line` is the first line of a row that spans several.
 */
export const readCsv = (
  definition: SourceDefinition,
  files: ReadonlyArray<FoundFile>
): Stream.Stream<ReadonlyArray<SourceRow>, SourceError> => {
  const make = makeRowOfJson(definition)
  return Stream.flatMap(Stream.fromIterable(files), (file) =>
    Stream.suspend(() => {
      const table = makeTable(file, make)
      return Stream.concat(
        rowsOfFile("csv", file, (blocks) => rowsOf(blocks, file, table)),
        Stream.fromEffectDrain(Effect.suspend(() => warnOfNaN(table.firstNaN)))
      )
    })
  )
}

async function* rowsOf(blocks: AsyncIterable<Buffer>, file: FoundFile, table: Table): AsyncGenerator<ReadonlyArray<SourceRow>> {
  for await (const records of csvRecords(blocks, file)) {
    yield* portions(records.flatMap((record) => table.rowOf(record) ?? []))
  }
}

interface Table {
  /** Null for the header. Throws a `SourceError` for a header that names no columns. */
  readonly rowOf: (record: CsvRecord) => SourceRow | null
  readonly firstNaN: { place: Place; column: string; others: number } | null
}

const makeTable = (file: FoundFile, make: (json: unknown, place: Place) => SourceRow): Table => {
  let header: ReadonlyArray<string> | null = null
  let firstNaN: Table["firstNaN"] = null

  const valueOf = (cell: string, column: string, place: Place): string | null => {
    if (cell !== "NaN") return cell === "" ? null : cell
    if (firstNaN === null) firstNaN = { place, column, others: 0 }
    else firstNaN.others += 1
    return null
  }

  const rowOf = (record: CsvRecord): SourceRow | null => {
    if (header === null) {
      header = headerOf(record, file)
      return null
    }
    const place = { file: file.shown, line: record.line }
    const fault = faultOf(record)
    if (fault !== null) return rejected(fault.code, fault.reason, record.text ?? lossyExcerpt(record.bytes()), place)
    if (record.cells.length !== header.length) {
      return rejected("unreadable", `the row has ${record.cells.length} cells, the header ${header.length}`, record.text ?? "", place)
    }
    const row: Record<string, string | null> = {}
    for (let index = 0; index < header.length; index++) {
      const column = header[index] ?? ""
      row[column] = valueOf(record.cells[index] ?? "", column, place)
    }
    return make(row, place)
  }

  return {
    rowOf,
    get firstNaN() {
      return firstNaN
    }
  }
}

const faultOf = (record: CsvRecord) => {
  if (record.text === null) return { code: "encoding", reason: encodingReason(record.bytes(), "row") } as const
  if (record.isWellFormed) return null
  const span = record.lines > 1 ? `; lines ${record.line} to ${record.line + record.lines - 1} were taken as this one row` : ""
  return {
    code: "unreadable",
    reason: `a quote stands inside a cell or isn't closed: write "" for each quote and put the cell in quotes${span}`
  } as const
}

const headerOf = (record: CsvRecord, file: FoundFile): ReadonlyArray<string> => {
  const { cells, line } = record
  const fault = faultOf(record)
  const twice = cells.find((name, index) => cells.indexOf(name) !== index)
  const unnamed = cells.findIndex((name) => name.trim() === "")
  const detail =
    fault !== null
      ? `the header can't be read: ${fault.reason}`
      : cells.some((name) => name.includes("\r"))
        ? "lines end in CR alone, so all rows are one line. Convert the file: tr '\\r' '\\n'"
        : unnamed !== -1
          ? `column ${unnamed + 1} of ${cells.length} has no name. Name it in the header`
          : twice !== undefined
            ? `the header names "${twice}" twice. Rename one of the columns`
            : null
  if (detail === null) return cells
  throw new SourceError({ reason: "format", format: "csv", path: `${file.shown}:${line}`, detail, directory: process.cwd() })
}

const warnOfNaN = (found: Table["firstNaN"]): Effect.Effect<void> => {
  if (found === null) return Effect.void
  const { place, column, others } = found
  const more = others === 0 ? "" : `; so were ${others} more in this file`
  return Effect.logWarning(`${place.file}:${place.line}: the cell NaN in column "${column}" was read as null${more}`)
}
