/** Finds one item of a job's input. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { RunContext } from "../../dsl/index.ts"
import { readSource } from "../source/read-source.ts"
import type { SourceItem, SourceRow } from "../source/source-item.ts"
import type { Graph } from "./graph.ts"
import { Nearest } from "./nearest.ts"

export type FoundItem =
  | { readonly kind: "found"; readonly item: SourceItem }
  | {
      readonly kind: "missing"
      readonly items: number
      readonly rejected: number
      /** The keys most like the wanted one, at most three. */
      readonly nearest: ReadonlyArray<string>
    }

/** The item of that key, or the first one. Reads as far as it must, and of a key that isn't there everything. */
export const findItem = Effect.fn("Try.findItem")(function* (
  graph: Graph,
  context: RunContext,
  services: Context.Context<never>,
  key: string | null
) {
  const search = new Search(key)
  yield* readSource(graph.source.definition, context).pipe(
    Stream.takeUntil((rows) => search.look(rows)),
    Stream.runDrain,
    Effect.provideContext(services)
  )
  return search.result
})

class Search {
  readonly #key: string | null
  readonly #nearest: Nearest
  #found: SourceItem | undefined
  #items = 0
  #rejected = 0

  constructor(key: string | null) {
    this.#key = key
    this.#nearest = new Nearest(key ?? "")
  }

  /** Returns whether the item is among these rows. */
  look(rows: ReadonlyArray<SourceRow>): boolean {
    for (const row of rows) {
      if (row.kind === "rejected") {
        this.#rejected++
        continue
      }
      this.#items++
      if (this.#key === null || row.key === this.#key) {
        this.#found = row
        return true
      }
      this.#nearest.add(row.key)
    }
    return false
  }

  get result(): FoundItem {
    if (this.#found !== undefined) return { kind: "found", item: this.#found }
    return { kind: "missing", items: this.#items, rejected: this.#rejected, nearest: this.#nearest.best }
  }
}
