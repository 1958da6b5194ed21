import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { compile, infer, job, jsonl, local, partition, usd, user, type Job } from "../../../dsl/index.ts"
import { VariantCache } from "../../../runtime/execute/ask.ts"
import { directCaller, type Caller } from "../../../runtime/execute/caller.ts"
import { evaluateSteps } from "../../../runtime/execute/evaluate.ts"
import { makeGraph } from "../../../runtime/execute/graph.ts"
import { PromptVersions } from "../../../runtime/execute/prompt-version.ts"
import { localProvider } from "../../../runtime/provider/local.ts"
import { Provider } from "../../../runtime/provider/provider.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"
import { beginSealed, twoEnds } from "../../support/ledger-run.ts"
import { memoryStore, type LedgerStore } from "../../support/ledger-store.ts"
import { tempState } from "../../support/store-run.ts"

/** Numbers of labelled rows that the model was asked about. */
const asked: Array<string> = []

interface Variation {
  /** Rows below this number are answered wrongly. */
  readonly wrongBelow?: number
  readonly version?: string
  readonly greeting?: "short" | "long"
  readonly scoreMin?: number
  readonly score?: (output: { readonly label: string }, expected: string) => number
}

const labelled = Array.from({ length: 10 }, (_, n) => ({ item: { id: String(n) }, expected: "right" }))

const evaluated = ({
  wrongBelow = 0,
  version = "1",
  greeting = "short",
  scoreMin = 0.9,
  score = (output, expected) => (output.label === expected ? 1 : 0)
}: Variation): Job => {
  const model = local(
    "judge",
    ({ data }) => {
      const id = String(data)
      asked.push(id)
      if (id === "9" && wrongBelow === 10) throw new Error("no answer at all")
      return { label: Number(id) < wrongBelow ? "wrong" : "right" }
    },
    { version }
  )
  const parts = partition(jsonl("*.jsonl", { schema: Schema.Struct({ id: Schema.String }), key: ({ id }) => id }))
  const output = Schema.Struct({ label: Schema.String })
  const rest = { model, output, retriesMax: 0, evaluation: { labelled, score, scoreMin } }
  const labels =
    greeting === "short"
      ? infer(parts, { ...rest, prompt: ({ id }) => [user`${id}`] })
      : infer(parts, { ...rest, prompt: ({ id }) => [user`Please: ${id}`] })
  const whole = job("judged", { owner: "o", purpose: "p", classification: "public", budget: usd(1), steps: { labels } })
  compile(whole)
  return whole
}

const world = Effect.all({ folder: tempState, store: memoryStore })

/** A session of run r1 that is about to begin with its items, and is killed then. Says whether it would, or where it waits. */
const begin = ({ folder, store }: { folder: StateFolder; store: LedgerStore }, variation: Variation, isHalted = false) =>
  Effect.scoped(
    Effect.gen(function* () {
      asked.length = 0
      const ledger = yield* store.open(twoEnds)
      yield* beginSealed(ledger, 1)
      const services = Context.empty()
      const provider = yield* Effect.provide(Provider, localProvider(services))
      const caller: Caller = { ...directCaller(provider), isHalted: () => isHalted }
      const environment = { caller, services, versions: new PromptVersions(), codeVersion: "c", now: () => 0, variants: new VariantCache() }
      const context = { date: "2026-03-01", interval: { start: new Date(0), end: new Date(0) }, params: {} }
      const graph = makeGraph(evaluated(variation))
      const ended = yield* Effect.result(evaluateSteps({ run: "r1", job: "judged", graph, environment, ledger, folder, context }))
      const { manifest, committed } = yield* ledger.tally
      const gates = (yield* ledger.gates).map(({ gate, decision }) => `${gate} ${decision}`)
      yield* store.crash
      const said = { asked: asked.length, items: manifest, committed, gates }
      if (ended._tag === "Success") return { ...said, says: "begins", message: "" }
      return { ...said, says: ended.failure._tag, message: ended.failure.message }
    })
  )

describe("a step with a labelled sample", () => {
  it.effect("[GOV-2] is asked about it once; what reached the score goes on in every later run without", () =>
    Effect.gen(function* () {
      const here = yield* world
      expect(yield* begin(here, { wrongBelow: 1 })).toMatchObject({ says: "begins", asked: 10, committed: 0, gates: [] })
      expect(yield* begin(here, { wrongBelow: 1 })).toMatchObject({ says: "begins", asked: 0 })
      expect(yield* begin({ ...here, store: yield* memoryStore }, {})).toMatchObject({ says: "begins", asked: 0 })
      // Another score to reach than the 0.9 that was reached.
      expect(yield* begin(here, { wrongBelow: 1, scoreMin: 0.95 })).toMatchObject({ says: "WaitsAtGate", asked: 10 })
    })
  )

  it.effect("[GOV-2] is asked anew after another prompt or another model", () =>
    Effect.gen(function* () {
      const here = yield* world
      expect((yield* begin(here, {})).asked).toBe(10)
      expect((yield* begin(here, { greeting: "long" })).asked).toBe(10)
      expect((yield* begin(here, { version: "2" })).asked).toBe(10)
      // Control: back to what passed.
      expect((yield* begin(here, {})).asked).toBe(0)
    })
  )

  it.effect("[GOV-2] below the score the run waits, and no item was asked; the same question costs nothing a second time", () =>
    Effect.gen(function* () {
      const here = yield* world
      const waits = yield* begin(here, { wrongBelow: 3 })
      expect(waits).toMatchObject({ says: "WaitsAtGate", asked: 10, committed: 0 })
      expect(waits.message).toContain('Step "labels" (judge, prompt ')
      expect(waits.message).toContain("reached 0.7 on its 10 labelled examples, and 0.9 is asked for. No item was asked.")
      expect(waits.message).toContain("Lowest, by place in the sample: 0 (0), 1 (0), 2 (0).")
      expect(yield* begin(here, { wrongBelow: 3 })).toMatchObject({ says: "WaitsAtGate", asked: 0 })
      yield* here.store.decide({ gate: "r1.1", decision: "approved", addUsd: null })
      expect(yield* begin(here, { wrongBelow: 3 })).toMatchObject({ says: "begins", asked: 0 })
      // What a person let through holds for that run, and that prompt.
      expect(yield* begin(here, { wrongBelow: 3, greeting: "long" })).toMatchObject({ says: "WaitsAtGate", asked: 10 })
      expect(yield* begin({ ...here, store: yield* memoryStore }, { wrongBelow: 3 })).toMatchObject({ says: "WaitsAtGate", asked: 10 })
    })
  )

  it.effect("[GOV-2] a mended prompt that passes withdraws the gate", () =>
    Effect.gen(function* () {
      const here = yield* world
      expect(yield* begin(here, { wrongBelow: 3 })).toMatchObject({ gates: ["r1.1 null"] })
      expect(yield* begin(here, { greeting: "long" })).toMatchObject({ says: "begins", gates: ["r1.1 withdrawn"] })
    })
  )

  it.effect("[GOV-2] a row without an answer counts as 0, and a score that is none stops the run without a word of the row", () =>
    Effect.gen(function* () {
      const here = yield* world
      expect((yield* begin(here, { wrongBelow: 10, scoreMin: 0.05 })).message).toContain("reached 0 on")
      const broken = yield* begin(yield* world, { score: () => Number.NaN })
      expect(broken.says).toBe("EvaluationFailed")
      expect(broken.message).toMatch(/its score of labelled row \d is NaN, not a number from 0 to 1/)
    })
  )

  it.effect("[GOV-2] [CST-2] where money or account run out amid it, nothing is concluded", () =>
    Effect.gen(function* () {
      const here = yield* world
      expect(yield* begin(here, { wrongBelow: 3 }, true)).toMatchObject({ says: "begins", asked: 0, gates: [] })
      expect(yield* begin(here, { wrongBelow: 3 })).toMatchObject({ says: "WaitsAtGate", asked: 10 })
    })
  )
})
