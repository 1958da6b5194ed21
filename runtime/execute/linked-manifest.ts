/** The manifest of a linked run: items of closed runs, as their payloads have them, instead of the source's. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { DuckLedger } from "../store/ledger-duckdb.ts"
import type { ManifestSummary, StagedItem } from "../store/ledger.ts"
import { dropLinked, takeLinked, type LinkedItem } from "../store/linked-file.ts"
import type { RunFolder } from "../store/state-folder.ts"
import type { StoreError } from "../store/store-error.ts"
import type { Graph } from "./graph.ts"
import { layOut, placeOf, type LayoutOptions } from "./layout.ts"
import type { ItemSource } from "./work.ts"

export interface LinkedManifestOptions {
  readonly ledger: DuckLedger
  readonly folder: RunFolder
  readonly graph: Graph
  readonly source: ItemSource
  readonly layout: Omit<LayoutOptions, "definition">
}

/** Seals it; equal keys give the items the ids they had. */
export const buildLinkedManifest = Effect.fn("Manifest.buildLinked")(function* ({
  ledger,
  folder,
  graph,
  source,
  layout
}: LinkedManifestOptions): Effect.fn.Return<ManifestSummary, StoreError, Scope.Scope> {
  const { definition } = graph.partition
  const stage = (item: LinkedItem) => stagedOf(item, definition, source)
  yield* takeLinked(ledger, folder, (items) => Effect.flatMap(Effect.forEach(items, stage), (staged) => ledger.stage(staged, [])))
  const summary = yield* ledger.seal((groups) => layOut({ ...layout, definition }, groups))
  yield* dropLinked(folder)
  return summary
}, Effect.scoped)

/** An item that today's code can't read or place is no rejection: it stays in the manifest, and the work says what is wrong with it. */
const stagedOf = (
  { item_key: key, body, reference, file, line }: LinkedItem,
  definition: LayoutOptions["definition"],
  source: ItemSource
): Effect.Effect<StagedItem> => {
  const bytes = body === null ? 0 : Buffer.byteLength(body)
  const read: Effect.Effect<unknown, unknown> =
    reference === null ? Effect.try(() => source.fromBody(body ?? "null")) : source.fromReference(reference)
  return read.pipe(
    Effect.flatMap((item) => Effect.try(() => placeOf(definition, item, bytes))),
    Effect.orElseSucceed(() => ({ label: "", weight: bytes })),
    Effect.map((place) => ({ key, body, reference, bytes, file, line, ...place }))
  )
}
