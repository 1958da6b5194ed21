/** Collects rows until there are enough of them to hand on. */
import * as Stream from "effect/Stream"

import type { SourceRow } from "./source-item.ts"

/** How much a source hands on at once: a bound on memory, and what one commit of the manifest takes. */
const ROWS_MAX = 1000
const BYTES_MAX = 4 * 1024 * 1024

export interface Gathering {
  /** True when the rows so far must be taken: 1,000 of them, or 4 MB. One row may be larger than that. */
  readonly add: (row: SourceRow) => boolean
  /** Gives the rows so far and begins anew. */
  readonly take: () => ReadonlyArray<SourceRow>
}

export const gather = (): Gathering => {
  let rows: Array<SourceRow> = []
  let bytes = 0
  return {
    add: (row) => {
      rows.push(row)
      bytes += row.kind === "item" ? row.bytes : 0
      return rows.length >= ROWS_MAX || bytes >= BYTES_MAX
    },
    take: () => {
      const taken = rows
      rows = []
      bytes = 0
      return taken
    }
  }
}

/** Cuts what is already in memory into portions of that size. */
export function* portions(rows: Iterable<SourceRow>): Generator<ReadonlyArray<SourceRow>> {
  const gathering = gather()
  for (const row of rows) if (gathering.add(row)) yield gathering.take()
  const rest = gathering.take()
  if (rest.length > 0) yield rest
}

/** The same for rows that arrive one by one. */
export const gathered = <E, R>(rows: Stream.Stream<SourceRow, E, R>): Stream.Stream<ReadonlyArray<SourceRow>, E, R> =>
  Stream.suspend(() => {
    const gathering = gather()
    const full = rows.pipe(
      Stream.chunks,
      Stream.map((some) => some.flatMap((row) => (gathering.add(row) ? [gathering.take()] : [])))
    )
    const rest = Stream.sync(() => [gathering.take()].filter((rows) => rows.length > 0))
    return Stream.flattenIterable(Stream.concat(full, rest))
  })
