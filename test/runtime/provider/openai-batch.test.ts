import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { afterAll, beforeEach, describe, expect } from "vitest"

import { openai } from "../../../dsl/index.ts"
import { openaiOf } from "../../support/fake-provider/clients.ts"
import type { FaultsPatch } from "../../support/fake-provider/faults.ts"
import { startFakeProvider } from "../../support/fake-provider/start.ts"
import { accountOf, batchOf, engineOf, judged, reasonsIn, settling, spool, start, untilEnded } from "../../support/provider-batch.ts"

const fake = await startFakeProvider()
const sdk = openaiOf(fake)
beforeEach(() => fake.reset())
afterAll(() => fake.close())

const mini = openai("gpt-4.1-mini", { account: "desk", tier: "batch", api: "chat" })
const mini5 = openai("gpt-5-mini", { account: "desk", tier: "batch" })
const account = accountOf({ baseUrl: fake.openaiUrl })
const engineFor = (faults: FaultsPatch = {}, accounts = account) => {
  fake.faults(faults)
  return engineOf(mini, accounts)
}
const texts = (count: number, mark = ""): ReadonlyArray<string> => Array.from({ length: count }, (_, n) => `the text of item ${n}${mark}`)
const noBatch = new Set<string>()
const filesNow = Effect.promise(async () => (await sdk.files.list()).data.map(({ filename }) => filename))

describe("a batch of OpenAI's", () => {
  it.live.each([mini, mini5])("[EXE-4] [case 1] goes there and back on the endpoint of its model's API, $api", (model) =>
    Effect.gen(function* () {
      const engine = yield* engineOf(model, account)
      const { ids, state, said } = yield* batchOf(engine, model, texts(7))
      expect(ids.every((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id))).toBe(true)
      expect([...said.keys()].toSorted()).toEqual([...ids].toSorted())
      expect(state).toMatchObject({ status: "ended", outcome: "completed", failure: null, completed: 7, failed: 0 })
      const replies = [...said.values()].map(Result.getOrThrow)
      expect(replies[0]).toMatchObject({ output: { label: expect.any(String) }, repaired: false })
      // What the provider billed, half the list price, is what we say it cost.
      const billed = fake.ledger().filter(({ batch, tier }) => batch === state.providerBatch && tier === "batch")
      expect(billed).toHaveLength(7)
      expect(replies.reduce((sum, { costUsd }) => sum + (costUsd ?? Number.NaN), 0)).toBeCloseTo(fake.stats().paidUsd, 12)
      const [batch] = fake.batches()
      expect(batch).toMatchObject({ metadata: { nightshift: "run-1.1" }, model: model.name })
      expect(yield* filesNow).toContain("run-1.1.jsonl")
      yield* engine.remove({ providerBatch: state.providerBatch, files: [batch?.inputFile ?? "", ...state.files] })
      expect(yield* filesNow).toEqual([])
      // Gone already is fine.
      yield* engine.remove({ providerBatch: state.providerBatch, files: state.files })
    })
  )

  it.live("[EXE-4] models and endpoints that can't share a file have groups of their own", () =>
    Effect.gen(function* () {
      const { groupOf } = yield* engineFor()
      expect(new Set([mini, mini5, { ...mini, api: "responses" as const }].map(groupOf)).size).toBe(3)
      expect(groupOf({ ...mini, price: { inputUsd: 1, outputUsd: 2 } })).toBe(groupOf(mini))
    })
  )

  it.live("[case 3] completed without an output file has failed in each of its lines", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ markers: { poison: "context" } })
      const { state, said } = yield* batchOf(engine, mini, texts(2, " poison"))
      expect(fake.batches()[0]).toMatchObject({ status: "completed", outputFile: null })
      expect(state).toMatchObject({ outcome: "completed", completed: 0, failed: 2 })
      expect(reasonsIn(said)).toEqual({ "context-too-long": 2 })
      expect([...said.values()].map(Result.flip).map(Result.getOrThrow)[0]).toMatchObject({
        status: 400,
        costUsd: 0,
        detail: expect.stringContaining("context window")
      })
    })
  )

  it.live("[case 4] both files are read: rows in are rows out", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ markers: { poison: "context" } })
      const { ids, state, said } = yield* batchOf(engine, mini, ["one", "two", "three poison"])
      expect(state.files).toHaveLength(2)
      expect(reasonsIn(said)).toEqual({ ok: 2, "context-too-long": 1 })
      expect(said.size).toBe(ids.length)
    })
  )

  it.live("[case 5] [case 24] a line is judged by itself: `error: null` is no success", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({
        batch: { errorsInOutput: true },
        markers: { poison: "context", empty: "no-choices", odd: "error-200" }
      })
      const { state, said } = yield* batchOf(engine, mini, ["fine", "poison", "empty", "odd"])
      // One file, in which all lines say `error: null`.
      expect(state.files).toHaveLength(1)
      expect(reasonsIn(said)).toEqual({ ok: 1, "context-too-long": 1, "no-answer": 2 })
      for (const body of ["", "{}", `{"custom_id":"a","response":null,"error":null}`])
        expect(yield* Effect.flip(engine.replyOf(mini, body))).toMatchObject({ reason: "no-answer", raw: body })
    })
  )

  it.live("[case 6] expired, it keeps the lines that were paid for; only the others were never worked on", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ batch: { outcome: "expired", processed: 1 } })
      const { state, said } = yield* batchOf(engine, mini, texts(10))
      expect(state).toMatchObject({ outcome: "expired", failure: null })
      expect(reasonsIn(said)).toEqual({ ok: 1, unprocessed: 9 })
      const unprocessed = [...said.values()].filter(Result.isFailure).map(({ failure }) => failure)
      expect(unprocessed.every(({ consequence, costUsd }) => consequence === "wait" && costUsd === 0)).toBe(true)
      expect(fake.stats().paidCalls).toBe(1)
    })
  )

  it.live("[case 7] a line that no file speaks of simply isn't there", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ batch: { missing: 1 } })
      const { said } = yield* batchOf(engine, mini, texts(10))
      expect(reasonsIn(said)).toEqual({ ok: 9 })
    })
  )

  it.live("[case 9] a full queue fails the batch as back-pressure: it is nobody's fault, and there is room later", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ batch: { hold: true }, limits: { enqueuedBatches: 2 } })
      const live = yield* Effect.forEach(["run.1", "run.2"], (token) => {
        return Effect.flatMap(spool(engine, mini, texts(2, token), token), (spooled) => start(engine, mini, spooled))
      })
      expect((yield* Effect.forEach(live, ({ providerBatch }) => engine.poll(providerBatch))).map(({ status }) => status)).toEqual([
        "live",
        "live"
      ])
      const third = yield* spool(engine, mini, texts(2, "3"), "run.3")
      const full = yield* untilEnded(engine, yield* start(engine, mini, third))
      expect(full).toMatchObject({ outcome: "failed", completed: 0, failed: 0, files: [] })
      expect(full.failure).toMatchObject({ reason: "rate-limited", consequence: "wait" })
      fake.faults({ batch: { hold: false } })
      yield* Effect.forEach(live, (state) => untilEnded(engine, state))
      const again = yield* untilEnded(engine, yield* start(engine, mini, third))
      expect(reasonsIn(yield* judged(engine, mini, again))).toEqual({ ok: 2 })
    })
  )

  it.live("[case 11] lines that the account couldn't pay stop the run, and so does a batch that fails for that", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ rates: { quota: 1 } })
      const { said } = yield* batchOf(engine, mini, texts(5))
      expect(reasonsIn(said)).toEqual({ "quota-exhausted": 5 })
      fake.reset({ batch: { outcome: "failed", processed: 0, failCode: "billing_hard_limit_reached" } })
      const { state } = yield* batchOf(engine, mini, texts(5))
      expect(state.failure).toMatchObject({ reason: "quota-exhausted", consequence: "stop" })
      // The control: a server's own fault is none of the account's.
      fake.reset({ batch: { outcome: "failed", processed: 0 } })
      expect((yield* batchOf(engine, mini, texts(5))).state.failure).toMatchObject({ reason: "server-error" })
    })
  )

  it.live("a file that OpenAI refuses fails the batch with the line and the reason", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor()
      const spooled = yield* spool(engine, mini, texts(2))
      // The endpoint isn't that of the file's lines.
      const state = yield* untilEnded(engine, yield* start(engine, { ...mini, api: "responses" }, spooled))
      expect(state.failure).toMatchObject({
        reason: "invalid-request",
        consequence: "dead",
        detail: expect.stringMatching(/^line 1: url_mismatch/)
      })
    })
  )

  it.live("cancelled, it gives what was done by then; what has ended needs no stop", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ batch: { hold: true, processed: 3 } })
      const spooled = yield* spool(engine, mini, texts(10))
      const created = yield* start(engine, mini, spooled)
      expect(yield* engine.poll(created.providerBatch)).toMatchObject({ status: "live", outcome: "in_progress" })
      yield* engine.cancel(created.providerBatch)
      const state = yield* untilEnded(engine, created)
      expect(state).toMatchObject({ outcome: "cancelled", failure: null })
      expect(reasonsIn(yield* judged(engine, mini, state))).toEqual({ ok: 3 })
      yield* engine.cancel(created.providerBatch)
      expect(yield* Effect.flip(engine.cancel("batch_none"))).toMatchObject({ status: 404 })
    })
  )

  it.live("[case 36] is priced row by row: a refused row costs nothing, a long prompt its own rate, and all of it the batch factor", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ markers: { poison: "context" } })
      const priced = { ...mini, price: { inputUsd: 2, outputUsd: 8 } }
      const { said } = yield* batchOf(engine, priced, ["fine", "poison"])
      const [fine] = fake.ledger()
      const costs = [...said.values()].map((line) => (Result.isSuccess(line) ? line.success.costUsd : line.failure.costUsd))
      const { input = 0, output = 0 } = fine?.tokens ?? {}
      expect(costs.toSorted()).toEqual([0, expect.closeTo(((input * 2 + output * 8) / 1e6) * 0.5, 12)])
      // Judged by the model that is asked about, not by the one whose engine it is: a file may hold both.
      const unpriced = { ...mini, name: "of-nobodys-table" }
      const line = (yield* Stream.runCollect(engine.results(yield* engine.poll(fake.batches()[0]?.id ?? "")))).flat()[0]?.body ?? ""
      expect((yield* engine.replyOf(unpriced, line)).costUsd).toBeNull()
    })
  )
})

describe("a creation whose answer is lost", () => {
  it.live.each([
    ["drop", "connection"],
    ["hang", "timeout"],
    ["late-500", "server-error"]
  ] as const)("[EXE-5] [case 13] [case 14] by a %s is found again: there is one batch, and it is ours", ([fault, reason]) =>
    Effect.gen(function* () {
      const engine = yield* engineFor(
        { batch: { hold: true }, chores: { create: [fault] } },
        accountOf({ baseUrl: fake.openaiUrl, timeoutMs: 300 })
      )
      const spooled = yield* spool(engine, mini, texts(3))
      const inputFile = yield* engine.upload(spooled.file, spooled.intent.token)
      const error = yield* Effect.flip(engine.create({ file: spooled.file, inputFile, intent: spooled.intent, model: mini }))
      expect(error).toMatchObject({ reason, isOutage: true })
      // Another run's, of the same time and size.
      yield* start(engine, mini, yield* spool(engine, mini, texts(3), "run-2.1"))
      const found = yield* engine.find(spooled.intent, noBatch)
      expect(found).toMatchObject({ status: "live" })
      expect(found).toMatchObject({ providerBatch: fake.batches()[0]?.id })
      expect(fake.batches().map(({ metadata }) => metadata)).toEqual([{ nightshift: "run-1.1" }, { nightshift: "run-2.1" }])
      // Its file stays: the batch is made of it.
      expect(yield* filesNow).toContain("run-1.1.jsonl")
      fake.faults({ batch: { hold: false } })
      const state = typeof found === "string" ? expect.fail(found) : yield* untilEnded(engine, found)
      expect(reasonsIn(yield* judged(engine, mini, state))).toEqual({ ok: 3 })
    })
  )

  it.live("[EXE-5] that came to nothing is known to have: its uploads go, and another may be made", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ chores: { create: ["refuse-reset"] } })
      const spooled = yield* spool(engine, mini, texts(3))
      // An upload of which nobody remembers the id, and one of another run.
      yield* engine.upload(spooled.file, spooled.intent.token)
      yield* engine.upload(spooled.file, "run-2.1")
      expect(yield* Effect.flip(start(engine, mini, spooled))).toMatchObject({ reason: "connection" })
      expect(yield* settling()(engine.find(spooled.intent, noBatch))).toBe("none")
      expect(yield* filesNow).toEqual(["run-2.1.jsonl"])
      yield* start(engine, mini, spooled)
      expect(fake.batches()).toHaveLength(1)
    })
  )

  it.live("[EXE-5] [case 14] and arrives after it was looked for makes no batch", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor()
      const spooled = yield* spool(engine, mini, texts(3))
      const inputFile = yield* engine.upload(spooled.file, spooled.intent.token)
      const intent = { ...spooled.intent, inputFile }
      const late = Effect.exit(engine.create({ file: spooled.file, inputFile, intent, model: mini }))
      expect(yield* settling(late)(engine.find(intent, noBatch))).toBe("none")
      expect(fake.batches()).toEqual([])
      // The control: with its file there, the same creation makes one.
      const again = { ...intent, inputFile: yield* engine.upload(spooled.file, intent.token) }
      yield* engine.create({ file: spooled.file, inputFile: again.inputFile, intent: again, model: mini })
      expect(fake.batches()).toHaveLength(1)
    })
  )

  it.live("[EXE-5] [case 14] and shows only at the second look is found", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ batch: { hold: true } })
      const spooled = yield* spool(engine, mini, texts(3))
      const found = yield* settling(start(engine, mini, spooled))(engine.find(spooled.intent, noBatch))
      expect(found).toMatchObject({ status: "live", providerBatch: fake.batches()[0]?.id })
    })
  )

  it.live("[EXE-5] is found by its file where a gateway keeps no metadata, but never among those that belong to other intents", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ batch: { hold: true } })
      const spooled = yield* spool(engine, mini, texts(3))
      const inputFile = yield* engine.upload(spooled.file, spooled.intent.token)
      const batch = yield* Effect.promise(() =>
        sdk.batches.create({ input_file_id: inputFile ?? "", endpoint: "/v1/chat/completions", completion_window: "24h" })
      )
      expect(yield* engine.find({ ...spooled.intent, inputFile }, noBatch)).toMatchObject({ providerBatch: batch.id })
      expect(yield* settling()(engine.find({ ...spooled.intent, inputFile }, new Set([batch.id])))).toBe("none")
    })
  )

  it.live("[EXE-5] is looked for on every page of the list, and no further back than its intent", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ batch: { hold: true } })
      const spooled = yield* spool(engine, mini, texts(1))
      const ours = yield* start(engine, mini, spooled)
      const other = yield* engine.upload(spooled.file, "other")
      yield* Effect.forEach(texts(130), () =>
        engine.create({ file: spooled.file, inputFile: other, intent: { ...spooled.intent, token: "other" }, model: mini })
      )
      expect(yield* engine.find(spooled.intent, noBatch)).toMatchObject({ providerBatch: ours.providerBatch })
      const later = { ...spooled.intent, intendedAt: new Date(Date.now() + 86_400_000) }
      expect(yield* settling()(engine.find(later, noBatch))).toBe("none")
    })
  )
})

describe("the way there and back", () => {
  it.live("an upload whose answer is lost is found by its name and size; one that broke off isn't there", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ chores: { upload: ["drop", "refuse-reset"] } })
      const { file } = yield* spool(engine, mini, texts(3))
      const id = yield* engine.upload(file, "run-1.1")
      expect((yield* Effect.promise(() => sdk.files.list())).data.map((each) => each.id)).toEqual([id])
      expect(yield* Effect.flip(engine.upload(file, "run-1.2"))).toMatchObject({ reason: "connection" })
      expect(fake.stats().files.uploaded).toBe(1)
    })
  )

  it.live("[CRD-3] an upload that is interrupted is aborted at the socket", () =>
    Effect.gen(function* () {
      // Three seconds for all of it; the fake sees a client go at its next piece, after some 150 ms.
      const engine = yield* engineFor({ uploadBytesPerSecond: 400_000 })
      const { file } = yield* spool(engine, mini, texts(2_000))
      const fiber = yield* Effect.forkChild(engine.upload(file, "run-1.1"))
      yield* Effect.promise(() => expect.poll(() => fake.stats().files.begun, { interval: 5, timeout: 10_000 }).toBe(1))
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => expect.poll(() => fake.stats().aborted, { interval: 5, timeout: 10_000 }).toBe(1))
      expect(yield* filesNow).toEqual([])
      expect(fake.stats().files.uploaded).toBe(0)
    })
  )

  it.live("[EXE-5] a download that is cut off fails, however much of it came, and is whole when it's read again", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor()
      const spooled = yield* spool(engine, mini, texts(900))
      const state = yield* untilEnded(engine, yield* start(engine, mini, spooled))
      fake.faults({ chores: { content: ["cut"] } })
      let came = 0
      const error = yield* Effect.flip(Stream.runForEach(engine.results(state), (lines) => Effect.sync(() => void (came += lines.length))))
      expect(error).toMatchObject({ reason: "connection", isOutage: true })
      expect(came).toBeLessThan(900)
      const groups = yield* Stream.runCollect(engine.results(state))
      expect(groups.map(({ length }) => length)).toEqual([500, 400])
      expect(new Set(groups.flat().map(({ customId }) => customId)).size).toBe(900)
    })
  )

  it.live("[SEC-1] a key that was rotated is read again, once; one that stays wrong is a fault of the account", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ keys: ["new"] }, accountOf({ baseUrl: fake.openaiUrl, keys: ["old", "new"] }))
      const { file } = yield* spool(engine, mini, texts(2))
      expect(yield* engine.upload(file, "run-1.1")).toMatch(/^file-/)
      const dead = yield* engineFor({}, accountOf({ baseUrl: fake.openaiUrl, keys: ["old"] }))
      expect(yield* Effect.flip(dead.upload(file, "run-1.1"))).toMatchObject({ reason: "key-rejected", consequence: "stop" })
    })
  )

  it.live("[case 66] nothing is tried again by the SDK", () =>
    Effect.gen(function* () {
      const engine = yield* engineFor({ chores: { retrieve: ["refuse-503", "refuse-429", "refuse-quota"] } })
      const errors = yield* Effect.forEach([1, 2, 3], () => Effect.flip(engine.poll("batch_1")))
      expect(errors.map(({ reason }) => reason)).toEqual(["server-error", "rate-limited", "quota-exhausted"])
      expect(fake.stats().calls).toBeLessThanOrEqual(3)
    })
  )
})
