/** Parquet files, read by DuckDB: one row an item. SQL here is the exception that query-rows.ts explains. */
import type * as Stream from "effect/Stream"

import type { SourceDefinition } from "../../dsl/index.ts"
import type { FoundFile } from "./find-files.ts"
import { makeRowOfJson } from "./make-row.ts"
import { queryRows } from "./query-rows.ts"
import type { SourceError } from "./source-error.ts"
import type { SourceRow } from "./source-item.ts"

// Unlikely enough to be nobody's column.
const FILE = "nightshift source file"

/** The rows of all files as one table: a column that a file lacks is null in its rows. `line` is the row's ordinal in its file. */
export const readParquet = (
  definition: SourceDefinition,
  files: ReadonlyArray<FoundFile>
): Stream.Stream<ReadonlyArray<SourceRow>, SourceError> => {
  const make = makeRowOfJson(definition)
  const shown = new Map(files.map((file) => [file.path, file.shown]))
  const list = files.map((file) => literal(file.path)).join(", ")
  const text = `select * from read_parquet([${list}], union_by_name = true, filename = '${FILE}')`
  const first = files[0]?.shown ?? ""
  const query = { format: "parquet", text, shown: files.length > 1 ? `${first} and ${files.length - 1} more` : first } as const
  // Counted here, for rows come in the order of the files: DuckDB's own file_row_number gives way to a column of that name.
  const lines = new Map<string, number>()
  return queryRows(query, ({ [FILE]: path, ...columns }) => {
    const file = String(path)
    const line = (lines.get(file) ?? 0) + 1
    lines.set(file, line)
    return make(columns, { file: shown.get(file) ?? file, line })
  })
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`
