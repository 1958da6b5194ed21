import { join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Plan } from "../../../dsl/index.ts"
import { compareRuns } from "../../../runtime/store/compare-runs.ts"
import type { Settlement, Variant } from "../../../runtime/store/ledger.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"
import { holdRun } from "../../support/hold-run.ts"
import {
  keyOf,
  openSampleRun,
  sampleOutput,
  samplePlan,
  sampleSettlement,
  settleItems,
  tempState,
  Triage
} from "../../support/store-run.ts"

interface Given {
  readonly run: string
  readonly items: number
  readonly plan?: Plan
  readonly output?: (seq: number) => unknown
  readonly settle?: (settlement: Settlement) => Settlement
}

/** `seq` follows partitions, so what an item says goes by its key, which stands in both runs. */
const makeRun = Effect.fnUntraced(function* (
  folder: StateFolder,
  { run, items, plan = samplePlan(), output = sampleOutput, settle = (same) => same }: Given
) {
  yield* Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* openSampleRun(folder, { run, items, plan })
      const pending = yield* ledger.pending(0, items)
      const numbers = new Map(pending.map(({ seq, key }) => [seq, Number(key.slice(keyOf(0).length - 1))]))
      const settlementOf = (seq: number, itemId: string, variant?: Variant): Settlement => {
        const number = numbers.get(seq) ?? 0
        const settlement = sampleSettlement(number, itemId, variant)
        const answers = settlement.answers.map((answer) => ({ ...answer, output: JSON.stringify(output(number)) }))
        return settle({ ...settlement, seq, answers })
      }
      yield* settleItems(ledger, 0, items, settlementOf)
    })
  )
})

const comparing = (folder: StateFolder, step: string | null = null) =>
  compareRuns({ a: folder.run("a"), b: folder.run("b"), step, tempDirectory: join(folder.root, "spill") })

describe("two runs side by side", () => {
  it.effect("equal ones agree on everything", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* makeRun(folder, { run: "a", items: 20 })
      yield* makeRun(folder, { run: "b", items: 20 })
      const { items, dispositions, steps, stepsOnly } = yield* comparing(folder)
      expect({ items, dispositions, stepsOnly }).toEqual({
        items: { both: 20, onlyA: 0, onlyB: 0 },
        dispositions: [],
        stepsOnly: { a: [], b: [] }
      })
      expect(steps).toMatchObject([
        { step: "triage", answers: { both: 20 }, same: 20, examples: [], columnsOnly: { a: [], b: [] }, calls: { a: 20, b: 20 } }
      ])
      expect(steps[0]?.columns.map(({ name, same }) => [name, same])).toEqual(
        ["topic", "confidence", "run", "detail_urgent", "tags"].map((name) => [name, 20])
      )
      expect(steps[0]?.costUsd.a).toBeCloseTo(0.02)
    })
  )

  it.effect("changes are counted by class, numbers by their mean, with examples by key", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* makeRun(folder, { run: "a", items: 30 })
      const changed = (seq: number) => ({
        ...Object(sampleOutput(seq)),
        ...(seq % 3 === 0 ? { topic: seq < 15 ? "list" : "personal" } : {}),
        confidence: (seq % 100) / 100 + 0.5
      })
      yield* makeRun(folder, {
        run: "b",
        items: 30,
        output: changed,
        settle: (settlement) => ({ ...settlement, attempts: settlement.attempts.map((attempt) => ({ ...attempt, confidence: 1 })) })
      })
      const [step] = (yield* comparing(folder)).steps
      const column = (name: string) => step?.columns.find((each) => each.name === name)
      expect(column("topic")).toMatchObject({
        same: 20,
        changes: [
          { a: "spam", b: "list", items: 5 },
          { a: "spam", b: "personal", items: 5 }
        ]
      })
      expect(column("confidence")).toMatchObject({ same: 0, changes: [] })
      expect(column("confidence")?.meanDifference).toBeCloseTo(0.5)
      expect(step?.confidence.a).toBeCloseTo(0.145)
      expect(step?.confidence.b).toBe(1)
      expect(step?.same).toBe(0)
      expect(step?.examples).toHaveLength(20)
      expect(step?.examples[0]).toEqual({
        key: keyOf(0),
        differs: [
          { column: "topic", a: "spam", b: "list" },
          { column: "confidence", a: "0", b: "0.5" }
        ]
      })
    })
  )

  it.effect("items of one run alone are counted apart, and other endings are named", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* makeRun(folder, { run: "a", items: 10 })
      // Without the rules that stop the eighth and the ninth.
      const pass = (settlement: Settlement): Settlement => ({
        ...settlement,
        stops: [],
        problems: [],
        finished: "delivered",
        checkpoints: settlement.checkpoints.map((row) =>
          row.step === "trusted" ? { ...row, status: "passed", disposition: "delivered", answerStep: "triage" } : row
        )
      })
      yield* makeRun(folder, { run: "b", items: 14, settle: pass })
      const compared = yield* comparing(folder)
      expect(compared.items).toEqual({ both: 10, onlyA: 0, onlyB: 4 })
      expect(compared.dispositions).toEqual([
        { a: "dead", b: "delivered", items: 1 },
        { a: "review", b: "delivered", items: 1 }
      ])
      expect((yield* comparing(folder, "trusted")).steps).toMatchObject([
        { step: "trusted", answers: { both: 8, onlyA: 0, onlyB: 6 }, same: 8 }
      ])
      expect((yield* comparing(folder, "nothing")).steps).toEqual([])
    })
  )

  it.effect("other output schemas are compared by their common columns, and the others are named", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* makeRun(folder, { run: "a", items: 10 })
      const { topic, run, tags } = Triage.fields
      const other = samplePlan(Schema.Struct({ topic, run, tags, confidence: Schema.String, reason: Schema.String }))
      yield* makeRun(folder, {
        run: "b",
        items: 10,
        plan: other,
        output: (seq) => ({ ...Object(sampleOutput(seq)), confidence: "high", reason: "because" })
      })
      const [step] = (yield* comparing(folder)).steps
      expect(step?.columns.map(({ name }) => name)).toEqual(["topic", "run", "tags"])
      expect(step?.columnsOnly).toEqual({ a: ["confidence", "detail_urgent"], b: ["confidence", "reason"] })
      expect(step?.same).toBe(10)
    })
  )

  it.effect("an answer that a rule asked for again counts once, as its last one", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* makeRun(folder, { run: "a", items: 5 })
      const twice = (settlement: Settlement): Settlement => {
        const [answer, attempt] = [settlement.answers[0], settlement.attempts[0]]
        if (answer === undefined || attempt === undefined) return settlement
        const first = JSON.stringify({ ...Object(JSON.parse(answer.output)), topic: "personal" })
        return {
          ...settlement,
          answers: [
            { ...answer, output: first },
            { ...answer, attempt: 2 }
          ],
          attempts: [
            { ...attempt, confidence: 0 },
            { ...attempt, attempt: 2, confidence: 0.5, costUsd: null }
          ]
        }
      }
      yield* makeRun(folder, { run: "b", items: 5, settle: twice })
      const [step] = (yield* comparing(folder)).steps
      expect(step).toMatchObject({ same: 5, answers: { both: 5 }, calls: { a: 5, b: 10 }, confidence: { b: 0.5 } })
      // One call of each has no known price, so neither has their sum.
      expect(step?.costUsd.b).toBeNull()
    })
  )

  it.live("a run that a process works on is refused, naming the process", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* makeRun(folder, { run: "a", items: 1 })
      const child = yield* holdRun(folder.root, "b")
      const error = yield* Effect.flip(comparing(folder))
      expect(error).toMatchObject({ reason: "held", holderPid: child.pid })
    })
  )
})
