import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

import { decideGate, findGate, listGates } from "../../../runtime/store/decide-gate.ts"
import { decideSample, listSample } from "../../../runtime/store/decide-sample.ts"
import { drawSample } from "../../../runtime/store/release-sample.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"
import { openSampleRun, sampleSettlement, secret, settleItems, tempState } from "../../support/store-run.ts"

const items = 100
/** Of a hundred, ten are dead and ten in review. */
const delivered = 80

/** A run that waits at its release gate, with a sample drawn. */
const waiting = Effect.fnUntraced(function* (folder: StateFolder, run: string, sample: number) {
  const drawn = yield* Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* openSampleRun(folder, { run, items })
      // One flagged item of low confidence among many alike: what is rare.
      yield* settleItems(ledger, 0, items, (seq, itemId) => {
        const settlement = sampleSettlement(seq, itemId)
        const attempts = settlement.attempts.map((call) => ({ ...call, confidence: seq === 0 ? 0.05 : 0.95 }))
        return { ...settlement, attempts, flags: seq === 0 ? settlement.flags : [] }
      })
      const count = yield* drawSample(ledger, sample)
      yield* ledger.openGate("release", { sample: count, delivered })
      yield* ledger.close("waiting", null)
      return count
    })
  )
  return { drawn, gate: `${run}.1` }
})

const approve = (folder: StateFolder, gate: string) =>
  Effect.result(decideGate(folder, { gate, decision: "approved", by: "ann", addUsd: null, note: null }))

describe("the sample before a release", () => {
  it.effect("[GOV-4] is of delivered items only, has what is rare, and is the same after a restart", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const { drawn, gate } = yield* waiting(folder, "a", 10)
      expect(drawn).toBe(10)
      const first = yield* listSample(folder, gate)
      // A delivered item has its output at the end; dead letters and reviews have none.
      expect(first.items.map(({ outputs }) => outputs.map(({ step }) => step))).toEqual(Array.from({ length: 10 }, () => ["trusted"]))
      expect(first.items.filter(({ flags }) => flags.length > 0)).toMatchObject([{ flags: ["short"], outputs: [{ confidence: 0.05 }] }])
      const again = yield* Effect.scoped(
        Effect.gen(function* () {
          const ledger = yield* openSampleRun(folder, { run: "a", items })
          // Even if the job asks for more now: people may have begun with it.
          const count = yield* drawSample(ledger, 30)
          yield* ledger.close("waiting", null)
          return count
        })
      )
      expect(again).toBe(10)
      expect((yield* listSample(folder, gate)).items).toEqual(first.items)
      // Another run of the same items, equally settled, draws the same: no chance is in it.
      yield* waiting(folder, "b", 10)
      expect((yield* listSample(folder, "b.1")).items.map(({ key }) => key)).toEqual(first.items.map(({ key }) => key))
    })
  )

  it.effect("[GOV-4] fewer delivered items than asked for are all of it", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      expect((yield* waiting(folder, "a", 500)).drawn).toBe(delivered)
    })
  )

  it.effect("[GOV-4] is approved only when every item is accepted; each verdict is kept with who gave it, and notes are payload", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const { gate } = yield* waiting(folder, "a", 3)
      yield* waiting(folder, "b", 3)
      const others = (yield* listGates(folder)).gates.filter(({ run }) => run === "b")
      expect(yield* approve(folder, gate)).toMatchObject({ failure: { _tag: "SampleNotAccepted", items: 3, undecided: 3, rejected: 0 } })
      const [one, two, three] = (yield* listSample(folder, gate)).items
      const of = (names: ReadonlyArray<string>, decision: "accepted" | "rejected", by = "ann", note: string | null = null) =>
        decideSample(folder, { gate, items: names, decision, by, note })
      yield* of([one!.key, two!.itemId], "accepted")
      yield* TestClock.adjust("1 second")
      yield* of(["3"], "rejected", "bob", `mentions ${secret}`)
      expect(yield* approve(folder, gate)).toMatchObject({ failure: { undecided: 0, rejected: 1 } })
      const unknown = yield* Effect.result(of([one!.key, "nobody"], "rejected"))
      expect(unknown).toMatchObject({ failure: { _tag: "SampleItemUnknown", items: ["nobody"] } })
      expect((yield* findGate(folder, gate)).gate.decision).toBeNull()
      expect((yield* listSample(folder, gate)).items.map(({ decision, decidedBy, note }) => [decision, decidedBy, note])).toEqual([
        ["accepted", "ann", null],
        ["accepted", "ann", null],
        ["rejected", "bob", `mentions ${secret}`]
      ])
      yield* TestClock.adjust("1 second")
      yield* of([three!.key], "accepted")
      expect(yield* approve(folder, gate)).toMatchObject({ success: { decision: "approved", decidedBy: "ann" } })
      // Decided, it stays so.
      expect(yield* Effect.result(of([one!.key], "rejected"))).toMatchObject({ failure: { _tag: "GateNotOpen" } })
      expect((yield* listSample(folder, gate)).items.map(({ decision }) => decision)).toEqual(["accepted", "accepted", "accepted"])
      expect((yield* listGates(folder)).gates.filter(({ run }) => run === "b")).toEqual(others)
    })
  )
})

describe("a gate that can't be decided", () => {
  const decide = (folder: StateFolder, gate: string, decision: "approved" | "rejected") =>
    Effect.result(decideGate(folder, { gate, decision, by: "ann", addUsd: null, note: "why" }))

  it.effect("[CST-2] expired, decided or unknown: the message says so, and nothing changes, there or at another gate", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const open = Effect.fnUntraced(function* (run: string) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const ledger = yield* openSampleRun(folder, { run, items: 1 })
            yield* ledger.openGate("quality", {})
            yield* ledger.close("waiting", null)
          })
        )
      })
      for (const run of ["a", "b"]) yield* open(run)
      yield* TestClock.adjust("6 days")
      yield* open("c")
      expect(yield* decide(folder, "b.1", "approved")).toMatchObject({ success: { decision: "approved", note: "why" } })
      yield* TestClock.adjust("1 day")
      const before = yield* listGates(folder)
      expect(before.gates.map(({ gate, decision }) => [gate, decision])).toEqual([
        ["c.1", null],
        ["b.1", "approved"],
        ["a.1", null]
      ])
      for (const decision of ["approved", "rejected"] as const) {
        const refused = yield* decide(folder, "a.1", decision)
        if (refused._tag === "Success") throw new Error("an expired gate was decided")
        expect(refused.failure.message).toBe(
          "Gate a.1 was not decided by 1970-01-08 00:00 UTC, which counts as rejected. Nothing was changed; `runtime resume a` holds back what is open, and closes the run."
        )
        const twice = yield* decide(folder, "b.1", decision)
        expect(twice).toMatchObject({ failure: { _tag: "GateNotOpen", outcome: "approved by ann at 1970-01-07 00:00 UTC" } })
        expect(yield* decide(folder, "c.7", decision)).toMatchObject({ failure: { _tag: "GateNotFound" } })
      }
      expect(yield* listGates(folder)).toEqual(before)
      // Control: one that is still open can be.
      expect(yield* decide(folder, "c.1", "rejected")).toMatchObject({ success: { decision: "rejected" } })
      expect((yield* listGates(folder)).gates.slice(1)).toEqual(before.gates.slice(1))
    })
  )
})
