/** What every ledger promises. Time is the test's: a commit that nobody asks for waits until the clock is moved. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import { lightestFirst } from "../../runtime/store/lightest-first.ts"
import type { LedgerShape, PartitionRecord, Settlement } from "../../runtime/store/ledger.ts"
import type { StoreError } from "../../runtime/store/store-error.ts"
import {
  begin,
  beginSealed,
  eventually,
  layoutOf,
  pendingItems,
  settleAll,
  settlementOf,
  stagedItem,
  twoEnds,
  variantOf
} from "./ledger-run.ts"
import type { LedgerStore } from "./ledger-store.ts"

export const ledgerContract = <L extends LedgerShape>(
  name: string,
  makeStore: Effect.Effect<LedgerStore<L>, StoreError, Scope.Scope>
): void => {
  const scene = (test: (store: LedgerStore<L>) => Effect.Effect<void, StoreError, Scope.Scope>) => () => Effect.flatMap(makeStore, test)
  /** One process's work: everything closes at its end. */
  const session = <A>(store: LedgerStore<L>, work: (ledger: L) => Effect.Effect<A, StoreError>) =>
    Effect.scoped(Effect.flatMap(store.open(twoEnds), work))

  describe(`a manifest in ${name}`, () => {
    it.effect(
      "[PAR-1] lists each item once, with its key and body, in the input's order within its partition",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
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
      )
    )

    it.effect(
      "[PAR-1] [case 2] keeps the first row of a key, and sets aside each further one naming both rows",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
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
            expect(yield* store.rejections(ledger)).toEqual([
              broken,
              { ...twin, file: "in.jsonl", line: 3 },
              { ...twin, file: "more.parquet", line: null }
            ])
            expect((yield* pendingItems(ledger)).map(({ key }) => key)).toEqual(["k-0", "k-3"])
          })
        )
      )
    )

    it.effect(
      "[case 1] tells keys apart by every character, and calls each item by 24 hex digits",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            const keys = ["x".repeat(65), "row/1", "é 1", "é 1", "", " ", "'; --", "\u2028", "a\0b"]
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
      )
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
        scene((store) =>
          session(store, (ledger) =>
            Effect.gen(function* () {
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
        )
      )
    }

    it.effect(
      "[PAR-2] laid out by weight differs from a perfect balance by less than the heaviest item",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
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
      )
    )

    it.effect(
      "[PAR-1] that was never sealed is built anew by the next process, with nothing of the old one",
      scene((store) =>
        Effect.gen(function* () {
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
    )

    it.effect(
      "[case 19] of no items is sealed, and complete",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            expect(yield* ledger.seal(layoutOf(1))).toEqual({ items: 0, rejected: 0, partitions: 0 })
            expect(yield* ledger.partitions).toEqual([])
            expect(yield* ledger.completeness).toMatchObject({ rowsRead: 0, manifest: 0, holds: true })
          })
        )
      )
    )
  })

  describe(`a run in ${name}`, () => {
    it.effect(
      "goes on with its manifest, limit and birthday in a further session",
      scene((store) =>
        Effect.gen(function* () {
          const first = yield* session(store, (ledger) =>
            Effect.gen(function* () {
              const record = yield* begin(ledger, { itemLimit: 3 })
              yield* ledger.stage([stagedItem(0)], [])
              yield* ledger.seal(layoutOf(1))
              return record
            })
          )
          expect(first).toMatchObject({ run: "r1", status: "preparing", sealed: false, session: 1, itemLimit: 3 })
          yield* TestClock.adjust("1 hour")
          const second = yield* session(store, (ledger) => begin(ledger, { codeVersion: "code-2" }))
          expect(second).toMatchObject({ status: "running", sealed: true, session: 2, itemLimit: 3, createdAt: first.createdAt })
        })
      )
    )

    it.effect(
      "[CHK-1] [CHK-2] gives back after a crash what was flushed, and lists as pending what was not",
      scene((store) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const ledger = yield* store.open(twoEnds)
              yield* beginSealed(ledger, 10)
              const items = yield* pendingItems(ledger)
              yield* settleAll(ledger, items.slice(0, 4))
              for (const item of items.slice(4, 7)) yield* ledger.settle(settlementOf(item))
              expect(yield* ledger.tally).toMatchObject({ manifest: 10, committed: 4, inFlight: 3 })
              yield* store.crash(ledger)
            })
          )
          yield* session(store, (ledger) =>
            Effect.gen(function* () {
              yield* begin(ledger)
              expect((yield* pendingItems(ledger)).map(({ seq }) => seq)).toEqual([4, 5, 6, 7, 8, 9])
              expect(yield* ledger.tally).toMatchObject({ manifest: 10, committed: 4, inFlight: 0, spentUsd: 2 })
              yield* settleAll(ledger, yield* pendingItems(ledger))
              expect((yield* ledger.completeness).holds).toBe(true)
            })
          )
        })
      )
    )

    it.effect(
      "[CHK-2] undoes a commit whose payload is durable and whose state is not",
      scene((store) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const ledger = yield* store.open(twoEnds)
              yield* beginSealed(ledger, 6)
              const items = yield* pendingItems(ledger)
              yield* settleAll(ledger, items.slice(0, 2), () => ({ text: "whole" }))
              yield* store.crashHalfway(
                ledger,
                settleAll(ledger, items.slice(2, 4), () => ({ text: "half" }))
              )
            })
          )
          yield* session(store, (ledger) =>
            Effect.gen(function* () {
              yield* begin(ledger)
              const items = yield* pendingItems(ledger)
              expect(items.map(({ seq, checkpoints, refused }) => [seq, checkpoints.size, refused.size])).toEqual(
                [2, 3, 4, 5].map((seq) => [seq, 0, 0])
              )
              yield* settleAll(ledger, items, () => ({ text: "again" }))
              expect((yield* outputsOf(ledger, "gist")).map((output) => output.split(" ")[0])).toEqual([
                "whole",
                "whole",
                "again",
                "again",
                "again",
                "again"
              ])
              expect((yield* ledger.completeness).holds).toBe(true)
            })
          )
        })
      )
    )

    it.effect(
      "[CHK-1] hands an item that was left midway to the next session with its checkpoints, answers and who gave them",
      scene((store) =>
        Effect.gen(function* () {
          yield* session(store, (ledger) =>
            Effect.gen(function* () {
              yield* beginSealed(ledger, 3)
              const [first, second] = yield* pendingItems(ledger)
              yield* ledger.settle(settlementOf(first!, { steps: ["triage", "trusted"] }))
              // A rule refused this answer, and the process ended before the next one.
              yield* ledger.settle({ ...settlementOf(second!, { steps: ["triage"], attempt: 1, text: "first" }), checkpoints: [] })
              yield* ledger.settle({ ...settlementOf(second!, { steps: ["triage"], attempt: 2, text: "second" }), checkpoints: [] })
              yield* ledger.flush
            })
          )
          yield* session(store, (ledger) =>
            Effect.gen(function* () {
              yield* begin(ledger)
              const [first, second, third] = yield* pendingItems(ledger)
              const variant = variantOf("triage", { shape: "" })
              const reached = { code: null, rule: null, attempts: 1, answerStep: "triage", output: `{"topic":"spam 0"}`, variant }
              expect(Object.fromEntries(first!.checkpoints)).toEqual({
                triage: { status: "answered", ...reached },
                trusted: { status: "passed", ...reached }
              })
              expect(first!.refused.size).toBe(0)
              expect(Object.fromEntries(second!.refused)).toEqual({ triage: { attempt: 2, output: `{"topic":"second 1"}`, variant } })
              expect([second!.checkpoints.size, third!.checkpoints.size, third!.refused.size]).toEqual([0, 0, 0])
            })
          )
        })
      )
    )

    it.effect(
      "doesn't list as pending what was settled in this session",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 6)
            const items = yield* pendingItems(ledger)
            yield* settleAll(
              ledger,
              items.filter(({ seq }) => seq % 2 === 0)
            )
            expect((yield* pendingItems(ledger)).map(({ seq }) => seq)).toEqual([1, 3, 5])
          })
        )
      )
    )

    it.effect(
      "finishes a partition once its items are durable, and leases it to whoever asks",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 20)
            const [first] = yield* ledger.partitions
            yield* ledger.lease(first!.partition, 1)
            for (const item of yield* ledger.pending(first!.firstSeq, first!.lastSeq)) yield* ledger.settle(settlementOf(item))
            yield* ledger.finish(first!.partition)
            expect((yield* ledger.tally).inFlight).toBe(0)
            expect((yield* ledger.partitions).map(({ isDone }) => isDone)).toEqual([true, false])
          })
        )
      )
    )

    it.effect(
      "keeps the last values of an aggregate",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 1)
            yield* ledger.saveSummary("mix", { total: 1, a: 1 })
            yield* ledger.saveSummary("mix", { total: 2, a: 1 })
            yield* ledger.saveReport("morning", "2 mails")
            expect(yield* store.summaries(ledger)).toEqual({ mix: `{"a":1,"total":2}` })
          })
        )
      )
    )
  })

  describe(`group commit in ${name}`, () => {
    it.effect(
      "makes a settlement durable within 20 ms, though nobody asks for it",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 2)
            const [item] = yield* pendingItems(ledger)
            yield* ledger.settle(settlementOf(item!))
            yield* TestClock.adjust("19 millis")
            expect(yield* ledger.tally).toMatchObject({ committed: 0, inFlight: 1 })
            yield* TestClock.adjust("1 millis")
            yield* eventually(Effect.map(ledger.tally, ({ inFlight }) => inFlight === 0))
            expect(yield* ledger.tally).toMatchObject({ committed: 1, spentUsd: 0.5, dispositions: { delivered: 1 } })
          })
        )
      )
    )

    it.effect(
      "[CHK-2] lets intake wait at 1,000 uncommitted items, and loses none",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 4_000, 1)
            let most = 0
            for (let from = 0; from < 4_000; from += 2_000) {
              const items = yield* ledger.pending(from, from + 1_999)
              yield* Effect.forEach(
                items,
                (item) =>
                  Effect.andThen(
                    ledger.settle(settlementOf(item)),
                    Effect.tap(ledger.tally, ({ inFlight }) => Effect.sync(() => (most = Math.max(most, inFlight))))
                  ),
                { concurrency: 64, discard: true }
              )
            }
            yield* ledger.flush
            expect(most).toBeGreaterThanOrEqual(500)
            expect(most).toBeLessThanOrEqual(1_000)
            expect(yield* ledger.tally).toMatchObject({ committed: 4_000, inFlight: 0 })
            expect((yield* ledger.completeness).holds).toBe(true)
          })
        )
      )
    )

    it.effect(
      "[case 63] lets intake wait at 8 MB of uncommitted answers",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 40, 1)
            const text = "x".repeat(1_000_000)
            let most = 0
            for (const item of yield* pendingItems(ledger)) {
              yield* ledger.settle(settlementOf(item, { steps: ["gist"], text }))
              most = Math.max(most, (yield* ledger.tally).inFlight)
            }
            yield* ledger.flush
            expect(most).toBeLessThanOrEqual(9)
            expect((yield* ledger.tally).inFlight).toBe(0)
          })
        )
      )
    )

    it.effect(
      "flush waits for what was settled before it, not for what others go on settling",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 2)
            const [first, second] = yield* pendingItems(ledger)
            let settled = 0
            const goOn = Effect.andThen(
              Effect.suspend(() => ledger.settle(settlementOf(second!, { steps: [], text: String(settled++) }))),
              Effect.yieldNow
            )
            const busy = yield* Effect.forkChild(Effect.forever(goOn))
            yield* ledger.settle(settlementOf(first!))
            yield* ledger.flush
            expect((yield* ledger.tally).committed).toBe(1)
            const before = settled
            yield* eventually(Effect.sync(() => settled > before + 1_000))
            yield* Fiber.interrupt(busy)
          })
        )
      )
    )

    it.effect(
      "[CHK-2] a scope that closes commits what is left, also when a commit is in flight",
      scene((store) =>
        Effect.gen(function* () {
          yield* session(store, (ledger) =>
            Effect.gen(function* () {
              yield* beginSealed(ledger, 700, 1)
              for (const item of yield* pendingItems(ledger)) yield* ledger.settle(settlementOf(item))
            })
          )
          yield* session(store, (ledger) =>
            Effect.gen(function* () {
              yield* begin(ledger)
              expect(yield* pendingItems(ledger)).toEqual([])
              expect((yield* ledger.tally).committed).toBe(700)
            })
          )
        })
      )
    )

    it.effect(
      "[CRD-3] a fiber that is interrupted while it waits for room or for a flush leaves the others going",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 1_500, 1)
            const items = yield* pendingItems(ledger)
            const settling = yield* Effect.forEach(items.slice(0, 1_400), (item) => Effect.forkChild(ledger.settle(settlementOf(item))))
            const flushing = yield* Effect.forkChild(ledger.flush)
            yield* Effect.yieldNow
            yield* Fiber.interrupt(flushing)
            yield* Fiber.interruptAll(settling.slice(1_300))
            yield* settleAll(ledger, items.slice(1_400))
            const { committed, inFlight } = yield* ledger.tally
            expect(inFlight).toBe(0)
            expect(committed).toBeGreaterThanOrEqual(1_400)
            expect((yield* pendingItems(ledger)).length).toBe(1_500 - committed)
          })
        )
      )
    )
  })

  describe(`completeness in ${name}`, () => {
    it.effect(
      "[VAL-1] adds up rows read, rejected and every disposition",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            yield* ledger.stage([stagedItem(0), stagedItem(1), stagedItem(2), stagedItem(1), stagedItem(3)], [])
            yield* ledger.seal(layoutOf(2))
            yield* settleAll(ledger, yield* pendingItems(ledger), ({ key }) => ({ isDead: key === "k-2", isFlagged: key === "k-3" }))
            expect(yield* ledger.completeness).toEqual({
              rowsRead: 5,
              rejected: 1,
              manifest: 4,
              dispositions: { delivered: 3, dead: 1, review: 0, held: 0, skipped: 0 },
              flagged: 1,
              gaps: [],
              holds: true
            })
            yield* ledger.close("done", null)
          })
        )
      )
    )

    it.effect(
      "[VAL-1] names items without exactly one disposition at each end, at most 100",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 200, 1)
            const items = yield* pendingItems(ledger)
            const idOf = (seq: number): string => items[seq]!.itemId
            yield* settleAll(
              ledger,
              items.filter(({ seq }) => seq !== 3 && seq !== 7),
              ({ seq }) => (seq === 5 ? { steps: ["triage", "trusted"] } : {})
            )
            yield* ledger.settle(settlementOf(items[9]!, { steps: ["gist"] }))
            yield* ledger.flush
            expect(yield* ledger.completeness).toMatchObject({
              holds: false,
              gaps: [3, 5, 7, 9].map(idOf),
              dispositions: { delivered: 198 }
            })
          })
        )
      )
    )

    it.effect(
      "[VAL-1] holds for nothing before anything is settled",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 150, 1)
            const { holds, gaps } = yield* ledger.completeness
            expect([holds, gaps.length]).toEqual([false, 100])
          })
        )
      )
    )
  })

  describe(`rows in ${name}`, () => {
    it.effect(
      "come in the manifest's order whatever order they were settled in, each with the last answer of its step",
      scene((store) =>
        session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 300, 3)
            const items = yield* pendingItems(ledger)
            const refused = ({ checkpoints: _, ...of }: Settlement): Settlement => ({ ...of, checkpoints: [], finished: null })
            for (const item of items.slice(0, 10))
              yield* ledger.settle(refused(settlementOf(item, { steps: ["gist"], text: "old", attempt: 1 })))
            yield* settleAll(ledger, items.toReversed(), ({ seq }) => ({ isDead: seq % 50 === 7, attempt: 2 }))
            const all = yield* rowsOf(ledger, "gist")
            expect(all.map(({ seq, key, output, attempt }) => [seq, key, output, attempt])).toEqual(
              items.map(({ seq, key }) => [seq, key, `{"topic":"spam ${seq}"}`, 2])
            )
            expect(all[0]).toMatchObject({ body: items[0]!.body, reference: null, model: "bayes" })
            const passed = yield* rowsOf(ledger, "trusted")
            expect(passed.map(({ seq }) => seq)).toEqual(items.map(({ seq }) => seq).filter((seq) => seq % 50 !== 7))
            expect(yield* rowsOf(ledger, "nothing")).toEqual([])
          })
        )
      )
    )
  })
}

const rowsOf = (ledger: LedgerShape, step: string) => Effect.map(Stream.runCollect(ledger.rows(step)), (chunks) => chunks.flat())

const outputsOf = (ledger: LedgerShape, step: string) =>
  Effect.map(rowsOf(ledger, step), (rows) => rows.map(({ output }) => (JSON.parse(output) as { topic: string }).topic))

const rangesOf = (partitions: ReadonlyArray<PartitionRecord>) => partitions.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])
