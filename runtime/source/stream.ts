/** Rows that the job makes itself: an Effect Stream of what the schema decodes. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import type { SourceDefinition } from "../../dsl/index.ts"
import { gathered } from "./gather.ts"
import { attempt, makeRow, rejected } from "./make-row.ts"
import { firstLine, SourceError } from "./source-error.ts"
import type { SourceRow } from "./source-item.ts"

/** `line` is the row's ordinal in the stream. Rows are JSON-encoded first, so a Date or a bigint in them is kept. */
export const readStream = <R>(
  definition: SourceDefinition,
  rows: Stream.Stream<unknown, unknown, R>
): Stream.Stream<ReadonlyArray<SourceRow>, SourceError, R> => {
  const make = makeRow(definition)
  const toJson = Schema.encodeUnknownResult(Schema.toCodecJson(Schema.toEncoded(definition.schema)), { errors: "all" })
  let line = 0
  const rowOf = (row: unknown): SourceRow => {
    const place = { file: "stream", line: ++line }
    const encoded = attempt(() => toJson(row))
    if (Result.isFailure(encoded)) return rejected("schema", encoded.failure, firstLine(row), place)
    const body = JSON.stringify(encoded.success)
    return make({ json: JSON.parse(body), body, bytes: Buffer.byteLength(body), reference: null, place })
  }
  return rows.pipe(
    Stream.mapError(
      (cause) => new SourceError({ reason: "stream", format: "stream", path: "stream", detail: firstLine(cause), directory: process.cwd() })
    ),
    Stream.map(rowOf),
    gathered
  )
}
