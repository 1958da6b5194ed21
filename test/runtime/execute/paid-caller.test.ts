import { describe, expect, it } from "vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { openai, user, render } from "../../../dsl/index.ts"
import { AccountTrouble } from "../../../runtime/execute/account-trouble.ts"
import type { Called } from "../../../runtime/execute/caller.ts"
import { Halt } from "../../../runtime/execute/halt.ts"
import { PaidCaller, type Lane, type PaidCallerOptions } from "../../../runtime/execute/paid-caller.ts"
import { Breaker } from "../../../runtime/guard/breaker.ts"
import { Budget } from "../../../runtime/guard/budget.ts"
import { RateLimiter } from "../../../runtime/guard/rate.ts"
import type { CallRequest, Provider, Reply } from "../../../runtime/provider/provider.ts"
import { providerError, type ProviderReason } from "../../../runtime/provider/provider-error.ts"
import { noUsage } from "../../../runtime/provider/usage.ts"

const model = openai("gpt-5-mini", { account: "desk" })
const boundUsd = 1 / 64
const request: CallRequest = {
  model,
  messages: [{ role: "user", text: render(user`hello`), data: [] }],
  attempt: 1,
  output: Schema.Struct({}),
  maxTokens: 16,
  temperature: null
}
const place = { seq: 1, partition: 1, step: "s", digest: "d", mayReuse: false, batched: undefined }
const reply: Reply = {
  output: {},
  raw: null,
  repaired: false,
  modelVersion: "v",
  usage: { ...noUsage, inputTokens: 10, outputTokens: 5 },
  costUsd: boundUsd / 4,
  signals: null
}
const failure = (reason: ProviderReason) => providerError({ model: model.name, account: model.account, reason, detail: "" })

type Answer = Provider["Service"]["call"]

/** A caller over real guards, and what they say afterwards. */
const openCaller = Effect.fnUntraced(function* (call: Answer, concurrencyMax: number) {
  const halt = new Halt()
  const told: Array<string> = []
  const budget = yield* Budget.make({
    envelopeUsd: 100,
    spentUsd: 0,
    uncertainUsd: 0,
    grant: () => Effect.sleep(20),
    onWarning: () => Effect.void
  })
  const breaker = yield* Breaker.make({})
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  const trouble = new AccountTrouble({
    run: "r",
    model,
    baseUrl: "http://127.0.0.1:9/v1",
    now,
    isPaused: () => breaker.isOpen,
    tell: (text) => void told.push(text)
  })
  const lane: Lane = { breaker, trouble, rate: yield* RateLimiter.make({ concurrencyMax }) }
  const options: Pick<PaidCallerOptions, "provider" | "budget" | "laneOf" | "prices" | "halt" | "now" | "deadline" | "tierOf"> = {
    budget,
    halt,
    now,
    provider: { call },
    laneOf: () => lane,
    prices: { boundUsd: () => boundUsd, fullUsd: () => null },
    tierOf: () => "realtime",
    deadline: null
  }
  // Neither batches nor reuse are touched by a call in real time that may not be reused.
  const caller = new PaidCaller(options as PaidCallerOptions)
  return { caller, budget, halt, lane, told }
})

interface Night {
  readonly inFlight: number
  readonly waiting: number
  readonly reservedUsd: number
  readonly drawnUsd: number
  readonly billedUsd: number
  readonly sentUsd: number
  readonly interrupted: number
  readonly answered: number
}

const reasons: ReadonlyArray<ProviderReason> = ["rate-limited", "server-error", "connection", "not-json", "overloaded"]

/** Calls with random ends, each interrupted at a random moment or not at all; fibers yield after every few operations, so that it may be any moment. */
const night = (seed: number): Promise<Night> =>
  Effect.gen(function* () {
    let sent = 0
    let billedUsd = 0
    const fibers: Array<Fiber.Fiber<Called, unknown>> = []
    /** Interrupts a fiber so many turns of the scheduler later. */
    const strike = (fiber: Fiber.Fiber<unknown, unknown> | undefined, turns: number) =>
      Effect.gen(function* () {
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        if (fiber !== undefined) yield* Fiber.interrupt(fiber)
      })
    const call: Answer = () => {
      sent++
      return Effect.gen(function* () {
        const kind = yield* Random.nextIntBetween(0, 8)
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 50))
        // Just as a call ends, something else begins: its own settling, another's turn.
        for (const turns of [1, 2, 3]) {
          if ((yield* Random.nextIntBetween(0, 30)) > 0) continue
          const fiber = yield* Random.nextIntBetween(0, fibers.length)
          yield* Effect.forkDetach(strike(fiber % 2 === 0 ? Fiber.getCurrent() : fibers[fiber], turns * 3))
        }
        const reason = reasons[kind]
        if (reason !== undefined) return yield* failure(reason)
        billedUsd += boundUsd / 4
        return reply
      })
    }
    const { caller, budget, lane } = yield* openCaller(call, 4)
    const ops = yield* Random.nextIntBetween(3, 24)
    for (let each = 0; each < 40; each++)
      fibers.push(yield* Effect.forkChild(Effect.provideService(caller.call(request, place), References.MaxOpsBeforeYield, ops)))
    for (const fiber of fibers) {
      const fate = yield* Random.nextIntBetween(0, 3)
      const ms = yield* Random.nextIntBetween(0, 400)
      const turns = yield* Random.nextIntBetween(0, 40)
      if (fate === 0) continue
      yield* Effect.forkChild(Effect.delay(strike(fiber, turns), ms))
    }
    for (let step = 0; step < 400 && fibers.some((fiber) => fiber.pollUnsafe() === undefined); step++)
      yield* TestClock.adjust(step < 100 ? 7 : 60_000)
    const exits = fibers.map((fiber) => fiber.pollUnsafe())
    if (exits.includes(undefined)) throw new Error(`seed ${seed} hangs`)
    const { inFlight, waiting } = lane.rate.snapshot()
    const { reservedUsd, drawnUsd } = budget.snapshot()
    const answered = exits.filter((exit) => exit?._tag === "Success").length
    return { inFlight, waiting, reservedUsd, drawnUsd, billedUsd, sentUsd: sent * boundUsd, interrupted: exits.length - answered, answered }
  }).pipe(Effect.scoped, Random.withSeed(seed), Effect.provide(TestClock.layer()), Effect.runPromise)

describe("a call that costs money", () => {
  it("[CST-2] [CRD-3] interrupted at any moment loses no permit and no reservation: what was sent is settled, or counted as spent", async () => {
    let interrupted = 0
    let answered = 0
    for (let seed = 1; seed <= 150; seed++) {
      const seen = await night(seed)
      expect({ seed, inFlight: seen.inFlight, waiting: seen.waiting, reservedUsd: seen.reservedUsd }).toEqual({
        seed,
        inFlight: 0,
        waiting: 0,
        reservedUsd: 0
      })
      expect(seen.drawnUsd, `seed ${seed}: billed`).toBeGreaterThanOrEqual(seen.billedUsd)
      expect(seen.drawnUsd, `seed ${seed}: sent`).toBeLessThanOrEqual(seen.sentUsd)
      interrupted += seen.interrupted
      answered += seen.answered
    }
    // What the promise is about did happen.
    expect(interrupted).toBeGreaterThan(1_000)
    expect(answered).toBeGreaterThan(1_000)
  })

  it("[CST-2] that dies in the middle gives its permit back, and counts at its bound", async () => {
    const seen = await Effect.gen(function* () {
      const { caller, budget, lane } = yield* openCaller(() => Effect.die(new Error("a bug")), 4)
      const fiber = yield* Effect.forkChild(caller.call(request, place))
      yield* TestClock.adjust(100)
      return { exit: fiber.pollUnsafe()?._tag, inFlight: lane.rate.snapshot().inFlight, ...budget.snapshot() }
    }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise)
    expect(seen).toMatchObject({ exit: "Failure", inFlight: 0, reservedUsd: 0, drawnUsd: boundUsd })
  })
})

/** Ten calls of one account, until they are through or so much time has passed. */
const callTen = (call: Answer, ms: number) =>
  Effect.gen(function* () {
    const { caller, halt, told, budget } = yield* openCaller(call, 10)
    const one = Effect.andThen(caller.call(request, place), Effect.sleep(10))
    const fibers = yield* Effect.forEach(Array.from({ length: 12 }), () => Effect.forkChild(Effect.forever(one)))
    const watch = yield* Effect.forkChild(
      Effect.gen(function* () {
        while (halt.reason === null) yield* Effect.sleep(100)
        return yield* Clock.currentTimeMillis
      })
    )
    for (let at = 0; at < ms; at += 500) yield* TestClock.adjust(500)
    const stoppedAt = watch.pollUnsafe()
    yield* Fiber.interruptAll(fibers)
    return { reason: halt.reason, told, stoppedAt: stoppedAt?._tag === "Success" ? stoppedAt.value : null, ...budget.snapshot() }
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise)

describe("an account whose server can't be reached", () => {
  it("[EXE-7] is told of at the first failure, with its URL, the error and what to type; after half a minute the run stops", async () => {
    const { reason, told, stoppedAt, drawnUsd } = await callTen(() => Effect.fail(failure("unreachable")), 120_000)
    expect(told[0]).toContain("can't reach http://127.0.0.1:9/v1")
    expect(told[0]).toContain("runtime resume r")
    expect(reason).toMatchObject({ kind: "account", error: { reason: "unreachable" } })
    expect(stoppedAt).toBeGreaterThanOrEqual(30_000)
    expect(stoppedAt).toBeLessThan(100_000)
    expect(drawnUsd).toBe(0)
  })

  it("[EXE-7] and that had answered before is waited for, and told of at growing intervals", async () => {
    let calls = 0
    const { reason, told } = await callTen(
      () => (calls++ < 5 ? Effect.delay(Effect.succeed(reply), 10) : Effect.fail(failure("unreachable"))),
      3_600_000
    )
    expect(reason).toBeNull()
    expect(told.length).toBeGreaterThan(4)
    // One at 0, 30 s, 90 s, 210 s, … of an hour.
    expect(told.length).toBeLessThan(10)
    expect(told.at(-1)).toMatch(/for \d{3,} s now/)
  })

  it("[EXE-7] control: one that answers 503 is waited for from the start", async () => {
    const { reason, told } = await callTen(() => Effect.fail(failure("server-error")), 600_000)
    expect(reason).toBeNull()
    expect(told[0]).toContain("waits for http://127.0.0.1:9/v1")
  })
})
