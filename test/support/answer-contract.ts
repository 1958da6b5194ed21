/** What every ledger promises of what came of a run. */
import { describe, expect, it } from "@effect/vitest"

import type { Settlement } from "../../runtime/store/ledger.ts"
import { begin, beginSealed, layoutOf, pendingItems, settleAll, settlementOf, stagedItem, rowsOf } from "./ledger-run.ts"
import type { LedgerScenes } from "./ledger-scenes.ts"

export const answerContract = ({ name, within }: LedgerScenes): void => {
  describe(`completeness in ${name}`, () => {
    it.effect(
      "[VAL-1] adds up rows read, rejected and every disposition",
      within(function* (ledger) {
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

    it.effect(
      "[VAL-1] names items without exactly one disposition at each end, at most 100",
      within(function* (ledger) {
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

    it.effect(
      "[VAL-1] holds for nothing before anything is settled",
      within(function* (ledger) {
        yield* beginSealed(ledger, 150, 1)
        const { holds, gaps } = yield* ledger.completeness
        expect([holds, gaps.length]).toEqual([false, 100])
      })
    )
  })
  describe(`rows in ${name}`, () => {
    it.effect(
      "come in the manifest's order whatever order they were settled in, each with the last answer of its step",
      within(function* (ledger) {
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
  })
}
