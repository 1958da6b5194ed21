import { rmSync } from "node:fs"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { publish } from "../../../runtime/store/publish.ts"
import { itemIdOf, type StateFolder } from "../../../runtime/store/state-folder.ts"
import { traceItem } from "../../../runtime/store/trace-item.ts"
import { holdRun } from "../../support/hold-run.ts"
import { keyOf, openSampleRun, sampleOutput, sampleSettlement, secret, settleItems, tempState } from "../../support/store-run.ts"

const items = 20

const runWhole = (folder: StateFolder, run: string, settlementOf = sampleSettlement) =>
  Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* openSampleRun(folder, { run, items })
      yield* settleItems(ledger, 0, items, settlementOf)
      yield* publish(ledger, folder, run)
    })
  )

describe("a trace", () => {
  it.live("[GOV-8] tells everything of one item, over all runs: where it went, what was asked and answered, in which words", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* runWhole(folder, "first")
      yield* runWhole(folder, "second")
      const { key, itemId, runs } = yield* traceItem(folder, { key: keyOf(3) })
      expect({ key, itemId }).toEqual({ key: keyOf(3), itemId: itemIdOf(folder.hashKey(keyOf(3))) })
      expect(runs.map(({ run }) => run["run"])).toEqual(["first", "second"])
      const [first] = runs
      const seq = Number(first?.item?.["seq"])
      expect(first).toMatchObject({
        run: { job: "mail-triage", owner: "service-desk", purpose: "Route correspondence" },
        checkpoints: [{ step: "triage", model_version: "fn-1" }, { step: "trusted" }],
        attempts: [
          { step: "triage", attempt: 1, outcome: "answered", prompt_version: "prompt-1", code_version: "code-1", cost_usd: 0.001 }
        ],
        payload: {
          state: "read",
          item: { file: `${secret}.jsonl`, line: 4, body: JSON.stringify({ id: keyOf(3) }), reference: null },
          answers: [
            { step: "triage", attempt: 1, model: "bayes", promptVersion: "prompt-1", output: JSON.stringify(sampleOutput(seq)), raw: null }
          ],
          prompts: [
            { step: "triage", promptVersion: "prompt-1", shape: JSON.stringify([{ role: "user", literals: ["", ""], nested: [] }]) }
          ]
        }
      })
      expect(JSON.parse(JSON.stringify(runs))).toHaveLength(2)
    })
  )

  it.live("[GOV-8] says why an item stopped, and in which words", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* runWhole(folder, "first", (seq, itemId) => ({ ...sampleSettlement(7, itemId), seq }))
      const { runs } = yield* traceItem(folder, { key: keyOf(3) })
      expect(runs[0]).toMatchObject({
        deadLetters: [{ step: "trusted", code: "rule", rule: "known" }],
        payload: { state: "read", problems: [{ step: "trusted", code: "rule", message: `${secret} breaks a rule` }] }
      })
    })
  )

  it.live("names the rows of the key that were set aside", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* runWhole(folder, "first")
      const { runs } = yield* traceItem(folder, { key: keyOf(0) })
      expect(runs[0]).toMatchObject({
        rejections: [{ code: "duplicate" }],
        payload: { rejected: [{ line: 1, reason: expect.stringContaining("which is kept") }] }
      })
    })
  )

  it.live("says that a run which a process works on can't be read now, and of a purged one that its content is gone", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* runWhole(folder, "first")
      yield* runWhole(folder, "second")
      const holder = yield* holdRun(folder.root, "first")
      rmSync(folder.run("second").payload)
      const { runs } = yield* traceItem(folder, { key: keyOf(3) })
      expect(runs.map(({ payload }) => payload)).toEqual([{ state: "held", holderPid: holder.pid }, { state: "gone" }])
      expect(runs[1]?.attempts).toHaveLength(1)
    })
  )

  it.live("of a key that nobody has seen is empty", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* runWhole(folder, "first")
      expect((yield* traceItem(folder, { key: "nobody" })).runs).toEqual([])
    })
  )
})
