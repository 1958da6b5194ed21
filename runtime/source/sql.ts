/** The author's own query, run by DuckDB as it stands: one row an item. SQL here is the exception that query-rows.ts explains. */
import type * as Stream from "effect/Stream"

import type { SourceDefinition } from "../../dsl/index.ts"
import { makeRowOfJson } from "./make-row.ts"
import { queryRows } from "./query-rows.ts"
import type { SourceError } from "./source-error.ts"
import type { SourceRow } from "./source-item.ts"

/** `line` is the row's ordinal in the query's result: without an ORDER BY it may name another row the next time. */
export const readSql = (definition: SourceDefinition, text: string): Stream.Stream<ReadonlyArray<SourceRow>, SourceError> => {
  const make = makeRowOfJson(definition)
  let line = 0
  return queryRows({ format: "sql", text, shown: summaryOf(text) }, (columns) => make(columns, { file: "query", line: ++line }))
}

/** The first line with something on it, at most 80 characters. */
const summaryOf = (text: string): string => {
  const first = text.trim().split("\n", 1)[0] ?? ""
  return first.length > 80 ? `${first.slice(0, 79)}…` : first
}
