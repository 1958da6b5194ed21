import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import type { Layout, LedgerShape } from "../../../runtime/store/ledger.ts"
import { ledgerContract } from "../../support/ledger-contract.ts"
import { begin, layoutOf, pendingItems, rowsOf, settleAll, stagedItem, twoEnds } from "../../support/ledger-run.ts"
import { bothStores, duckStore, memoryStore } from "../../support/ledger-store.ts"

ledgerContract("DuckDB", duckStore)
ledgerContract("memory", memoryStore)

describe("two ledgers with one input", () => {
  const input = Array.from({ length: 300 }, (_, n) =>
    stagedItem(n % 290, { label: ["c", "a", "b"][(n * 7) % 3] ?? "", weight: ((n * 31) % 23) / 4 })
  )

  /** All that a ledger says of a run. */
  const wholeRun = Effect.fnUntraced(function* (ledger: LedgerShape, over: Partial<Layout>) {
    yield* begin(ledger)
    yield* ledger.stage(input, [])
    const summary = yield* ledger.seal(layoutOf(3, over))
    const partitions = yield* ledger.partitions
    const items = yield* pendingItems(ledger)
    yield* settleAll(ledger, items.slice(10), ({ seq }) =>
      seq % 9 === 0 ? { isDead: true, isFlagged: true } : seq % 11 === 0 ? { steps: ["triage"] } : {}
    )
    const left = yield* pendingItems(ledger)
    const rows = { triage: yield* rowsOf(ledger, "triage"), trusted: yield* rowsOf(ledger, "trusted") }
    return { summary, partitions, items, left, rows, tally: yield* ledger.tally, completeness: yield* ledger.completeness }
  })

  for (const spread of ["hash", "weight"] as const) {
    it.effect(`[PAR-2] [VAL-1] agree on every answer, spread by ${spread}`, () =>
      Effect.gen(function* () {
        const { duck, memory } = yield* bothStores
        const onDisk = yield* Effect.scoped(Effect.flatMap(duck.open(twoEnds), (ledger) => wholeRun(ledger, { spread })))
        const inMemory = yield* Effect.scoped(Effect.flatMap(memory.open(twoEnds), (ledger) => wholeRun(ledger, { spread })))
        expect(inMemory).toEqual(onDisk)
      })
    )
  }
})

describe("an aggregate's query", () => {
  it.effect("needs the ledger on disk: in memory it fails and says why", () =>
    Effect.gen(function* () {
      const store = yield* memoryStore
      const ledger = yield* store.open(twoEnds)
      const error = yield* Effect.flip(ledger.query("triage", (db) => db))
      expect(error.message).toBe("A query failed while running an aggregate's query. (the ledger in memory has no SQL)")
    })
  )
})
