/** What every ledger promises of a manifest. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { lightestFirst } from "../../runtime/store/lightest-first.ts"
import type { PartitionRecord } from "../../runtime/store/ledger.ts"
import { begin, layoutOf, pendingItems, stagedItem } from "./ledger-run.ts"
import type { LedgerScenes } from "./ledger-scenes.ts"

export const manifestContract = ({ name, within, scene, session }: LedgerScenes): void => {
  describe(`a manifest in ${name}`, () => {
    it.effect(
      "[PAR-1] lists each item once, with its key and body, in the input's order within its partition",
      within(function* (ledger) {
        yield* begin(ledger)
        yield* ledger.stage([stagedItem(0), stagedItem(1)], [])
        yield* ledger.stage([stagedItem(2), stagedItem(3, { body: null, reference: `{"path":"big"}` })], [])
        expect(yield* ledger.seal(layoutOf(1))).toEqual({ items: 4, rejected: 0, partitions: 1 })
        const items = yield* pendingItems(ledger)
        expect(items.map(({ seq, key }) => [seq, key])).toEqual([0, 1, 2, 3].map((n) => [n, `k-${n}`]))
        expect(items.map(({ body, reference }) => body ?? reference)).toEqual([
          `{"id":"k-0"}`,
          `{"id":"k-1"}`,
          `{"id":"k-2"}`,
          `{"path":"big"}`
        ])
        expect(yield* ledger.pending(1, 2)).toEqual(items.slice(1, 3))
      })
    )

    it.effect(
      "[PAR-1] [case 2] keeps the first row of a key, and sets aside each further one naming both rows",
      within(function* (ledger, store) {
        yield* begin(ledger)
        const broken = { code: "unreadable", reason: "not JSON", excerpt: "{", key: null, file: "in.jsonl", line: 2 }
        yield* ledger.stage([stagedItem(0)], [broken])
        yield* ledger.stage(
          [stagedItem(2, { key: "k-0" }), stagedItem(3), stagedItem(4, { key: "k-0", file: "more.parquet", line: null })],
          []
        )
        expect(yield* ledger.seal(layoutOf(1))).toEqual({ items: 2, rejected: 3, partitions: 1 })
        const twin = {
          code: "duplicate",
          key: "k-0",
          reason: "the key is the same as that of in.jsonl:1, which is kept",
          excerpt: `{"id":"k-0"}`
        }
        expect(yield* store.rejections).toEqual([
          broken,
          { ...twin, file: "in.jsonl", line: 3 },
          { ...twin, file: "more.parquet", line: null }
        ])
        expect((yield* pendingItems(ledger)).map(({ key }) => key)).toEqual(["k-0", "k-3"])
      })
    )

    it.effect(
      "[case 1] tells keys apart by every character, and calls each item by 24 hex digits",
      within(function* (ledger) {
        const keys = ["x".repeat(65), "row/1", "\u00e9 1", "e\u0301 1", "", " ", "'; --", "\u2028", "a\0b"]
        yield* begin(ledger)
        yield* ledger.stage(
          keys.map((key, n) => stagedItem(n, { key })),
          []
        )
        yield* ledger.seal(layoutOf(1))
        const items = yield* pendingItems(ledger)
        expect(items.map(({ key }) => key)).toEqual(keys)
        expect(new Set(items.map(({ itemId }) => itemId)).size).toBe(keys.length)
        for (const { itemId } of items) expect(itemId).toMatch(/^[0-9a-f]{24}$/)
      })
    )

    const layouts = {
      "by field": {
        items: (n: number) => ({ label: ["invoice", "letter"][n % 2] ?? "" }),
        layout: layoutOf(2),
        labels: ["invoice", "letter"]
      },
      "by tier": {
        items: (n: number) => ({ label: n < 90 ? "small" : "large" }),
        layout: layoutOf(2, { labelsArePublic: true }),
        labels: ["large", "small"]
      },
      "by hash": { items: () => ({}), layout: layoutOf(4), labels: [null] },
      "by weight": { items: (n: number) => ({ weight: 1 + (n % 17) ** 2 }), layout: layoutOf(4, { spread: "weight" }), labels: [null] }
    }
    for (const [strategy, { items, layout, labels }] of Object.entries(layouts)) {
      it.effect(
        `[PAR-2] laid out ${strategy} gives each partition a range of items, and each item one partition`,
        within(function* (ledger) {
          yield* begin(ledger)
          yield* ledger.stage(
            Array.from({ length: 100 }, (_, n) => stagedItem(n, items(n))),
            []
          )
          const summary = yield* ledger.seal(layout)
          const partitions = yield* ledger.partitions
          expect(summary).toEqual({ items: 100, rejected: 0, partitions: partitions.length })
          expect(rangesOf(partitions)).toEqual(rangesOf([...partitions].toSorted((a, b) => a.firstSeq - b.firstSeq)))
          expect(partitions[0]?.firstSeq).toBe(0)
          for (const [index, { firstSeq, lastSeq, items }] of partitions.entries()) {
            expect(lastSeq - firstSeq + 1).toBe(items)
            expect(partitions[index + 1]?.firstSeq ?? 100).toBe(lastSeq + 1)
          }
          expect([...new Set(partitions.map(({ label }) => label))]).toEqual(labels)
          expect(partitions.every(({ isDone }) => !isDone)).toBe(true)
          for (const { label, firstSeq, lastSeq } of partitions) {
            const within = yield* ledger.pending(firstSeq, lastSeq)
            const ordinals = within.map(({ key }) => Number(key.slice(2)))
            expect(ordinals).toEqual(ordinals.toSorted((a, b) => a - b))
            for (const n of ordinals) expect(stagedItem(n, items(n)).label || null).toBe(label)
          }
        })
      )
    }

    it.effect(
      "[PAR-2] laid out by weight differs from a perfect balance by less than the heaviest item",
      within(function* (ledger) {
        const weights = Array.from({ length: 200 }, (_, n) => 1 + ((n * 7919) % 97) ** 2)
        yield* begin(ledger)
        yield* ledger.stage(
          weights.map((weight, n) => stagedItem(n, { weight })),
          []
        )
        yield* ledger.seal(layoutOf(7, { spread: "weight" }))
        const loads = (yield* ledger.partitions).map(({ weight }) => weight)
        expect(loads).toHaveLength(7)
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThan(Math.max(...weights))
        const next = lightestFirst(7)
        const expected = Array.from({ length: 7 }, () => 0)
        for (const weight of weights.toSorted((a, b) => b - a)) expected[next(weight)]! += weight
        expect(loads).toEqual(expected)
      })
    )

    it.effect(
      "[PAR-1] that was never sealed is built anew by the next process, with nothing of the old one",
      scene(function* (store) {
        yield* session(store, (ledger) => Effect.andThen(begin(ledger), ledger.stage([stagedItem(0), stagedItem(1), stagedItem(2)], [])))
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            expect((yield* begin(ledger)).sealed).toBe(false)
            yield* ledger.stage([stagedItem(7), stagedItem(2)], [])
            expect(yield* ledger.seal(layoutOf(1))).toEqual({ items: 2, rejected: 0, partitions: 1 })
            expect((yield* pendingItems(ledger)).map(({ key }) => key)).toEqual(["k-7", "k-2"])
          })
        )
      })
    )

    it.effect(
      "[case 19] of no items is sealed, and complete",
      within(function* (ledger) {
        yield* begin(ledger)
        expect(yield* ledger.seal(layoutOf(1))).toEqual({ items: 0, rejected: 0, partitions: 0 })
        expect(yield* ledger.partitions).toEqual([])
        expect(yield* ledger.completeness).toMatchObject({ rowsRead: 0, manifest: 0, holds: true })
      })
    )
  })
}

const rangesOf = (partitions: ReadonlyArray<PartitionRecord>) => partitions.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])
