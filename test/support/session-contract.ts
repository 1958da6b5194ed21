/** What every ledger promises of a run over several processes. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

import type { PendingItem, Settlement } from "../../runtime/store/ledger.ts"
import {
  begin,
  beginSealed,
  layoutOf,
  pendingItems,
  settleAll,
  settlementOf,
  stagedItem,
  twoEnds,
  variantOf,
  outputsOf
} from "./ledger-run.ts"
import type { LedgerScenes } from "./ledger-scenes.ts"

export const sessionContract = ({ name, within, scene, session }: LedgerScenes): void => {
  describe(`a run in ${name}`, () => {
    it.effect(
      "goes on with its manifest, limit and birthday in a further session",
      scene(function* (store) {
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

    it.effect(
      "[CHK-1] [CHK-2] gives back after a crash what was flushed, and lists as pending what was not",
      scene(function* (store) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const ledger = yield* store.open(twoEnds)
            yield* beginSealed(ledger, 10)
            const items = yield* pendingItems(ledger)
            yield* settleAll(ledger, items.slice(0, 4))
            for (const item of items.slice(4, 7)) yield* ledger.settle(settlementOf(item))
            expect(yield* ledger.tally).toMatchObject({ manifest: 10, committed: 4, inFlight: 3 })
            yield* store.crash
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

    it.effect(
      "[CHK-2] undoes a commit whose payload is durable and whose state is not",
      scene(function* (store) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const ledger = yield* store.open(twoEnds)
            yield* beginSealed(ledger, 6)
            const items = yield* pendingItems(ledger)
            yield* settleAll(ledger, items.slice(0, 2), () => ({ text: "whole" }))
            yield* store.crashHalfway(settleAll(ledger, items.slice(2, 4), () => ({ text: "half" })))
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

    it.effect(
      "[CHK-1] hands an item that was left midway to the next session with its checkpoints, answers and who gave them",
      scene(function* (store) {
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

    it.effect(
      "[RTY-1] keeps the retry queue: what was wrong and when it is due, until the next call of the step is durable",
      scene(function* (store) {
        const dueAt = new Date("2026-11-02T01:00:00Z")
        const failed = (item: PendingItem, attempt: number): Settlement => ({
          ...settlementOf(item, { steps: ["triage"], attempt }),
          answers: [],
          checkpoints: [],
          problems: [{ step: "triage", attempt, code: "wrong-schema", message: "no topic", raw: `{"tpic":${attempt}}` }],
          retries: [{ step: "triage", attempt, code: "wrong-schema", rule: null, dueAt }]
        })
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 4)
            const [once, twice, answered, outage] = yield* pendingItems(ledger)
            yield* ledger.settle(failed(once!, 1))
            yield* ledger.settle(failed(twice!, 1))
            yield* ledger.settle(failed(twice!, 2))
            yield* ledger.settle(failed(answered!, 1))
            // Asked again and answered, with the other end still open.
            yield* ledger.settle(settlementOf(answered!, { steps: ["triage", "trusted"], attempt: 2 }))
            yield* ledger.settle({
              ...failed(outage!, 1),
              problems: [],
              retries: [{ step: "triage", attempt: 1, code: "timeout", rule: null, dueAt }]
            })
            yield* ledger.flush
          })
        )
        yield* session(store, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            const [once, twice, answered, outage] = yield* pendingItems(ledger)
            const of = (attempt: number) => ({
              triage: {
                attempt,
                code: "wrong-schema",
                dueAt: dueAt.getTime(),
                problem: { message: "no topic", raw: `{"tpic":${attempt}}` }
              }
            })
            expect(Object.fromEntries(once!.queued)).toEqual(of(1))
            expect(Object.fromEntries(twice!.queued)).toEqual(of(2))
            expect(answered!.queued.size).toBe(0)
            expect(Object.fromEntries(outage!.queued)).toEqual({
              triage: { attempt: 1, code: "timeout", dueAt: dueAt.getTime(), problem: null }
            })
          })
        )
      })
    )

    it.effect(
      "doesn't list as pending what was settled in this session",
      within(function* (ledger) {
        yield* beginSealed(ledger, 6)
        const items = yield* pendingItems(ledger)
        yield* settleAll(
          ledger,
          items.filter(({ seq }) => seq % 2 === 0)
        )
        expect((yield* pendingItems(ledger)).map(({ seq }) => seq)).toEqual([1, 3, 5])
      })
    )

    it.effect(
      "finishes a partition once its items are durable, and leases it to whoever asks",
      within(function* (ledger) {
        yield* beginSealed(ledger, 20)
        const [first] = yield* ledger.partitions
        yield* ledger.lease(first!.partition, 1)
        for (const item of yield* ledger.pending(first!.firstSeq, first!.lastSeq)) yield* ledger.settle(settlementOf(item))
        yield* ledger.finish(first!.partition)
        expect((yield* ledger.tally).inFlight).toBe(0)
        expect((yield* ledger.partitions).map(({ isDone }) => isDone)).toEqual([true, false])
      })
    )

    it.effect(
      "keeps the last values of an aggregate",
      within(function* (ledger, store) {
        yield* beginSealed(ledger, 1)
        yield* ledger.saveSummary("mix", { total: 1, a: 1 })
        yield* ledger.saveSummary("mix", { total: 2, a: 1 })
        yield* ledger.saveReport("morning", "2 mails")
        expect(yield* store.summaries).toEqual({ mix: `{"a":1,"total":2}` })
      })
    )
  })
}
