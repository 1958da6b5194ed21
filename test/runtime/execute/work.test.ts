import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { compile, infer, job, jsonl, openai, partition, retry, usd, user, validate } from "../../../dsl/index.ts"
import { providerError, type ProviderReason } from "../../../runtime/provider/provider-error.ts"
import type { Reply } from "../../../runtime/provider/provider.ts"
import { MemoryLedger } from "../../../runtime/store/ledger-memory.ts"
import { MemoryDisk } from "../../../runtime/store/memory-disk.ts"
import { sweepRun, type SeenCall } from "../../support/sweep-run.ts"

const mails = jsonl("*.jsonl", { schema: Schema.Struct({ id: Schema.String }), key: (mail) => mail.id })
const parts = partition(mails)
const Topic = Schema.Struct({ topic: Schema.String })
const model = openai("gpt-5-mini", { account: "desk" })
const options = { model, output: Topic, maxTokens: 100, prompt: (mail: { readonly id: string }) => [user`${mail.id}`] as const }
const asking = (over: { retriesMax?: number; retrySpacing?: "1 second"; retryWithError?: boolean } = {}) => {
  const topics = infer(parts, { ...options, ...over })
  const known = validate(topics, {
    known: { pass: ({ output }) => output.topic !== "?", orElse: retry({ attemptsMax: 3, feedback: "Name it" }) }
  })
  return job("sweeps", {
    owner: "tests",
    purpose: "Retries",
    classification: "internal",
    budget: usd(1),
    steps: { mails, parts, topics, known }
  })
}

const unpaid = { costUsd: 0, repaired: false, signals: null, raw: null, modelVersion: "gpt-5-mini" }
const usage = { inputTokens: 1, cacheReadTokens: 0, cacheWrite5mTokens: 0, cacheWrite1hTokens: 0, outputTokens: 1, reasoningTokens: 0 }
const says = (output: unknown): Effect.Effect<Reply> => Effect.succeed({ ...unpaid, usage, output })
const fails = (reason: ProviderReason) => Effect.fail(providerError({ reason, model: "gpt-5-mini", account: "desk", detail: "" }))

const hashKey = (key: string): Buffer => Buffer.from(key.padEnd(32, "-"))
const open = (of: ReturnType<typeof asking>, disk = new MemoryDisk()) =>
  Effect.map(MemoryLedger.open({ plan: compile(of), hashKey, disk }), (ledger) => ({ ledger, disk }))

/** When each call of an item was made, in seconds. */
const timesOf = (calls: ReadonlyArray<SeenCall>, item: string) => calls.filter((call) => call.item === item).map(({ at }) => at)

describe("the retry queue", () => {
  it.effect("[RTY-1] what fails leaves the primary pass at once: all others are asked before anything is asked again", () =>
    Effect.gen(function* () {
      const of = asking()
      const { ledger } = yield* open(of)
      const answer = ({ item, attempt }: SeenCall) => (item === "k-1" && attempt < 3 ? fails("server-error") : says({ topic: "a" }))
      const { calls, sweeps } = yield* sweepRun({ job: of, ledger, items: 40, answer })
      expect(calls.slice(0, 40).map(({ attempt }) => attempt)).toEqual(Array.from({ length: 40 }, () => 1))
      expect(calls.slice(40).map(({ item, attempt }) => [item, attempt])).toEqual([
        ["k-1", 2],
        ["k-1", 3]
      ])
      expect(sweeps).toEqual([
        { sweep: 1, items: 1 },
        { sweep: 2, items: 1 }
      ])
      expect((yield* ledger.completeness).dispositions).toMatchObject({ delivered: 40, dead: 0 })
    })
  )

  it.effect(
    "[RTY-1] [case 45] three retries outlast an overload of three minutes, spaced exponentially with jitter; then the item is a dead letter",
    () =>
      Effect.gen(function* () {
        const of = asking()
        const { ledger } = yield* open(of)
        const { calls } = yield* sweepRun({ job: of, ledger, items: 20, answer: () => fails("server-error") })
        const spread = new Set<number>()
        for (let n = 0; n < 20; n++) {
          const times = timesOf(calls, `k-${n}`)
          expect(times).toHaveLength(4)
          const [first = 0, second = 0, third = 0, fourth = 0] = times
          expect(fourth - first).toBeGreaterThan(180)
          expect(second - first).toBeGreaterThanOrEqual(30)
          expect(third - second).toBeGreaterThanOrEqual(60)
          expect(fourth - third).toBeGreaterThanOrEqual(120)
          // With jitter on top, and the clock's steps.
          expect(second - first).toBeLessThanOrEqual(90)
          spread.add(second - first)
        }
        expect(spread.size).toBeGreaterThan(1)
        expect((yield* ledger.completeness).dispositions).toMatchObject({ delivered: 0, dead: 20 })
      })
  )

  it.effect("[RTY-1] a step says how often and how far apart it is asked again", () =>
    Effect.gen(function* () {
      const of = asking({ retriesMax: 1, retrySpacing: "1 second" })
      const { ledger } = yield* open(of)
      const { calls } = yield* sweepRun({ job: of, ledger, items: 3, answer: () => fails("timeout") })
      expect(calls).toHaveLength(6)
      expect(Math.max(...calls.map(({ at }) => at))).toBeLessThanOrEqual(10)
    })
  )

  it.effect("[case 16] what can only fail again isn't asked again, and holds nobody up", () =>
    Effect.gen(function* () {
      const of = asking()
      const { ledger } = yield* open(of)
      const { calls, sweeps } = yield* sweepRun({
        job: of,
        ledger,
        items: 5,
        answer: ({ item }) => (item === "k-2" ? fails("context-too-long") : says({ topic: "a" }))
      })
      expect(calls).toHaveLength(5)
      expect(sweeps).toEqual([])
      expect((yield* ledger.completeness).dispositions).toMatchObject({ delivered: 4, dead: 1 })
    })
  )

  it.effect("[case 26] a truncated answer is asked for again with twice the room, then four times; the same again would be in vain", () =>
    Effect.gen(function* () {
      const of = asking({ retriesMax: 9 })
      const { ledger } = yield* open(of)
      const { calls } = yield* sweepRun({ job: of, ledger, items: 1, answer: () => fails("truncated") })
      expect(calls.map(({ maxTokens }) => maxTokens)).toEqual([100, 200, 400])
    })
  )

  it.effect("[RTY-1] [VAL-2] an answer that doesn't fit is asked for again, and with `retryWithError` the model sees it and why", () =>
    Effect.gen(function* () {
      for (const retryWithError of [true, false]) {
        const of = asking({ retryWithError })
        const { ledger } = yield* open(of)
        const { calls } = yield* sweepRun({
          job: of,
          ledger,
          items: 1,
          answer: ({ attempt }) => says(attempt === 1 ? { tpic: "a" } : { topic: "a" })
        })
        expect(calls.map(({ texts }) => texts.length)).toEqual(retryWithError ? [1, 2] : [1, 1])
        if (retryWithError) expect(calls[1]?.texts[1]).toContain(`{"tpic":"a"}`)
        expect((yield* ledger.completeness).dispositions).toMatchObject({ delivered: 1 })
      }
    })
  )

  it.effect(
    "[RTY-1] [case 38] an answer that a rule refuses goes the same way: the sweep shows it to the model, attempt after attempt",
    () =>
      Effect.gen(function* () {
        const of = asking()
        const { ledger } = yield* open(of)
        const { calls, sweeps } = yield* sweepRun({
          job: of,
          ledger,
          items: 3,
          answer: ({ item, attempt }) => says({ topic: item === "k-1" && attempt < 3 ? "?" : "a" })
        })
        expect(calls.map(({ item, attempt, texts }) => [item, attempt, texts.length]).slice(3)).toEqual([
          ["k-1", 2, 2],
          ["k-1", 3, 2]
        ])
        expect(sweeps).toHaveLength(2)
        expect((yield* ledger.completeness).dispositions).toMatchObject({ delivered: 3 })
      })
  )

  it.effect("[RTY-1] [CHK-2] survives a kill: who waited for a sweep is asked again when it is due, and tries go on counting", () =>
    Effect.gen(function* () {
      const of = asking()
      const disk = new MemoryDisk()
      const first = yield* open(of, disk)
      const answer = ({ item }: SeenCall) => (item === "k-1" ? fails("server-error") : says({ topic: "a" }))
      const killed = yield* Effect.exit(
        sweepRun({
          job: of,
          ledger: first.ledger,
          items: 4,
          answer,
          beforeSweeps: () =>
            Effect.andThen(
              Effect.sync(() => void first.ledger.crash()),
              Effect.die("killed")
            )
        })
      )
      expect(killed._tag).toBe("Failure")
      const { ledger } = yield* open(of, disk)
      const { calls } = yield* sweepRun({ job: of, ledger, items: 4, answer })
      expect(calls.map(({ item, attempt }) => [item, attempt])).toEqual([
        ["k-1", 2],
        ["k-1", 3],
        ["k-1", 4]
      ])
      expect(calls[0]?.at).toBeGreaterThanOrEqual(30)
      expect((yield* ledger.completeness).dispositions).toMatchObject({ delivered: 3, dead: 1 })
    })
  )
})
