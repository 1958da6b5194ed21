/** Builds a run's manifest: every row of the source is listed or rejected before anything is paid (PAR-1). */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { RunContext, SourceDefinition } from "../../dsl/index.ts"
import { readSource } from "../source/read-source.ts"
import type { SourceError } from "../source/source-error.ts"
import type { SourceItem, SourceRow } from "../source/source-item.ts"
import { Ledger, type ManifestSummary, type StagedItem, type StagedRejection } from "../store/ledger.ts"
import type { StoreError } from "../store/store-error.ts"
import type { Graph } from "./graph.ts"
import { layOut, placeOf, type LayoutOptions } from "./layout.ts"
import { onThread } from "./thread-note.ts"

export interface ManifestOptions {
  readonly graph: Graph
  readonly context: RunContext
  /** `--limit N`: the first N items. */
  readonly itemLimit: number | null
  readonly layout: Omit<LayoutOptions, "definition">
  /** Told the rows read so far, once a chunk. */
  readonly onRows: (rows: number) => Effect.Effect<void>
}

/** Reads the source once, in bounded memory, and seals the manifest. */
export const buildManifest = Effect.fn("Manifest.build")(function* ({
  graph,
  context,
  itemLimit,
  layout,
  onRows
}: ManifestOptions): Effect.fn.Return<ManifestSummary, StoreError | SourceError, Ledger> {
  const ledger = yield* Ledger
  const { definition } = graph.partition
  let items = 0
  let rows = 0
  const isFull = (): boolean => itemLimit !== null && items >= itemLimit
  yield* readSource(onThreadSource(graph), context).pipe(
    Stream.takeUntil((chunk) => {
      items += chunk.filter(({ kind }) => kind === "item").length
      return isFull()
    }),
    Stream.runForEach((chunk) => {
      const staged: Array<StagedItem> = []
      const rejections: Array<StagedRejection> = []
      const excess = itemLimit === null ? 0 : Math.max(0, items - itemLimit)
      for (const row of withoutLast(chunk, excess)) stageRow(row, graph.partition, staged, rejections)
      rows += staged.length + rejections.length
      return Effect.andThen(ledger.stage(staged, rejections), onRows(rows))
    })
  )
  return yield* ledger.seal((groups) => layOut({ ...layout, definition }, groups))
})

/** The source, its functions noted while they have the thread. */
const onThreadSource = ({ source: { name: step, definition } }: Graph): SourceDefinition => {
  const { keyOf, parse } = definition
  return {
    ...definition,
    keyOf: (item, file) => onThread({ seq: null, step, callback: "key" }, () => keyOf(item, file)),
    ...(parse === undefined ? {} : { parse: (file) => onThread({ seq: null, step, callback: "parse" }, () => parse(file)) })
  }
}

/** A trial ends within a chunk: what stands behind its last item isn't part of it. */
const withoutLast = (chunk: ReadonlyArray<SourceRow>, excess: number): ReadonlyArray<SourceRow> => {
  if (excess === 0) return chunk
  const keep = chunk.filter(({ kind }) => kind === "item").length - excess
  let seen = 0
  const end = chunk.findIndex((row) => row.kind === "item" && ++seen > keep)
  return end < 0 ? chunk : chunk.slice(0, end)
}

const stageRow = (
  row: SourceRow,
  { name: step, definition }: Graph["partition"],
  staged: Array<StagedItem>,
  rejections: Array<StagedRejection>
): void => {
  const { file, line } = row.place
  if (row.kind === "rejected") {
    rejections.push({ code: row.code, reason: row.reason, excerpt: row.excerpt, key: null, file, line })
    return
  }
  try {
    const site = { seq: null, step, callback: "by, weight or size" }
    const { label, weight } = onThread(site, () => placeOf(definition, row.item, row.bytes))
    staged.push({ key: row.key, ...bodyOf(row), bytes: row.bytes, weight, label, file, line })
  } catch (cause) {
    const reason = `the partition step failed: ${cause instanceof Error ? cause.message : String(cause)}`
    rejections.push({ code: "partition", reason, excerpt: row.body.slice(0, 200), key: row.key, file, line })
  }
}

const bodyOf = ({ body, reference }: SourceItem): Pick<StagedItem, "body" | "reference"> =>
  reference === null ? { body, reference: null } : { body: null, reference: JSON.stringify(reference) }
