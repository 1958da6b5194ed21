import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { compile, deadLetter, infer, job, jsonl, local, partition, usd, user, validate } from "../../../dsl/index.ts"
import { makeGraph, type Graph } from "../../../runtime/execute/graph.ts"
import { holdRest, isRejected } from "../../../runtime/execute/hold-rest.ts"
import type { GateRecord, LedgerShape, Settlement } from "../../../runtime/store/ledger.ts"
import { beginSealed, outputsOf, pendingItems, settlementOf, twoEnds } from "../../support/ledger-run.ts"
import { duckStore, memoryStore } from "../../support/ledger-store.ts"

/** The job of `twoEnds`: `triage` then `trusted`, which is an end, and `gist`, which is the other. */
const graph: Graph = (() => {
  const mails = jsonl("*.jsonl", { schema: Schema.Struct({ id: Schema.String }), key: (mail) => mail.id })
  const spread = partition(mails)
  const model = local("bayes", (): { topic: string } => {
    throw new Error("nobody may be asked")
  })
  const output = Schema.Struct({ topic: Schema.String })
  const triage = infer(spread, { model, prompt: (mail) => [user`${mail.id}`], output })
  const trusted = validate(triage, { known: { pass: () => true, orElse: deadLetter } })
  const gist = infer(spread, { model, prompt: (mail) => [user`Short: ${mail.id}`], output })
  const of = { owner: "service-desk", purpose: "Route correspondence", classification: "internal" } as const
  const whole = job("two-ends", { ...of, budget: usd(1), steps: { mails, spread, triage, trusted, gist } })
  compile(whole)
  return makeGraph(whole)
})()

/** A ledger that also tells what was settled on it. */
const watched = (ledger: LedgerShape) => {
  const settled: Array<Settlement> = []
  const settle: LedgerShape["settle"] = (settlement) =>
    Effect.andThen(
      Effect.sync(() => void settled.push(settlement)),
      ledger.settle(settlement)
    )
  return { settled, ledger: { partitions: ledger.partitions, lease: ledger.lease, pending: ledger.pending, finish: ledger.finish, settle } }
}

const stores = [
  ["DuckDB", duckStore],
  ["memory", memoryStore]
] as const

describe.each(stores)("the rest of a run that was rejected, in %s", (_, makeStore) => {
  it.effect("[CST-2] [VAL-1] is held back at every end that it hasn't reached; what is done and paid stays, and the run adds up", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      const ledger = yield* store.open(twoEnds)
      yield* beginSealed(ledger, 8)
      const [whole, half, answered, dead, stopped] = yield* pendingItems(ledger)
      yield* ledger.settle(settlementOf(whole!))
      // One end reached, the other not.
      yield* ledger.settle(settlementOf(half!, { steps: ["triage", "trusted"] }))
      // An answer, and no rule has looked at it.
      yield* ledger.settle(settlementOf(answered!, { steps: ["triage"] }))
      yield* ledger.settle(settlementOf(dead!, { steps: ["triage", "trusted"], isDead: true }))
      // Given up on above an end that had not heard of it yet.
      const given = settlementOf(stopped!, { steps: ["triage"] })
      yield* ledger.settle({
        ...given,
        answers: [],
        checkpoints: given.checkpoints.map((each) => ({ ...each, status: "dead", code: "refused", answerStep: null })),
        stops: [{ kind: "dead", step: "triage", code: "refused", rule: null, attempts: 1 }]
      })
      yield* ledger.flush
      const { spentUsd } = yield* ledger.tally

      const watch = watched(ledger)
      expect(yield* holdRest(watch.ledger, graph)).toBe(7)
      const ends = new Map(
        watch.settled.map(({ seq, finished, checkpoints }) => [
          seq,
          `${finished}: ${checkpoints.map(({ step, status, disposition }) => `${step} ${status} ${disposition}`).join(", ")}`
        ])
      )
      const fresh = "held: trusted held held, gist held held"
      expect(Object.fromEntries(ends)).toEqual({
        [half!.seq]: "held: gist held held",
        [answered!.seq]: fresh,
        [dead!.seq]: "dead: gist held held",
        [stopped!.seq]: "dead: trusted dead dead, gist held held",
        5: fresh,
        6: fresh,
        7: fresh
      })
      expect(watch.settled.flatMap(({ attempts, answers }) => [...attempts, ...answers])).toEqual([])
      expect(yield* ledger.completeness).toMatchObject({
        holds: true,
        manifest: 8,
        dispositions: { delivered: 1, held: 5, dead: 2, review: 0, skipped: 0 }
      })
      expect((yield* ledger.tally).spentUsd).toBe(spentUsd)
      expect((yield* ledger.partitions).every(({ isDone }) => isDone)).toBe(true)
      expect(yield* outputsOf(ledger, "trusted")).toEqual(["spam 0", "spam 1"])
      // Again, as after a kill: nothing is left to hold.
      expect(yield* holdRest(ledger, graph)).toBe(0)
    })
  )
})

describe("a run at its gates", () => {
  const gate = (decision: GateRecord["decision"]): GateRecord => ({
    gate: "r1.1",
    kind: "budget",
    detail: "{}",
    openedAt: new Date(0),
    expiresAt: null,
    decision,
    addUsd: null
  })

  it("[CST-2] is rejected once anybody said no, and never because nobody said anything", () => {
    expect(isRejected([])).toBe(false)
    expect(isRejected([gate("approved"), gate(null)])).toBe(false)
    expect(isRejected([gate("approved"), gate("rejected")])).toBe(true)
  })
})
