import { describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import { Budget, BudgetSpent, type BudgetOptions } from "../../../runtime/guard/budget.ts"
import type { StoreError } from "../../../runtime/store/store-error.ts"
import { spendNight, type Night, type NightOptions, type OpenPurse, type Purse } from "../../support/spend-night.ts"

const seeds = 250
const fewer = 80
const minutesMax = 2_000

/** Moves the clock until the night is over: one that hangs fails. */
const play = (options: NightOptions): Promise<Night> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const night = yield* Effect.forkChild(spendNight(options))
      for (let minute = 0; minute < minutesMax && night.pollUnsafe() === undefined; minute++) yield* TestClock.adjust("1 minute")
      if (night.pollUnsafe() === undefined) throw new Error(`seed ${options.seed} hangs`)
      return yield* Fiber.join(night)
    }).pipe(Effect.provide(TestClock.layer()))
  )

const nights = async (count: number, openPurse: OpenPurse, over: Partial<NightOptions> = {}): Promise<ReadonlyArray<Night>> => {
  const all: Array<Night> = []
  for (let seed = 1; seed <= count; seed++) {
    const boundUnitsMax = [8, 24, 64, 120][seed % 4] ?? 8
    all.push(await play({ seed, items: 10 + ((seed * 37) % 190), boundUnitsMax, openPurse, ...over }))
  }
  return all
}

const overspent = (all: ReadonlyArray<Night>): number => all.filter(({ overspentUsd }) => overspentUsd > 0).length

describe("nights of calls, batches, errors, kills and resumes", () => {
  it("[CST-2] never bill more than the envelope of that moment, and end finished, or at a gate with less than the next call may cost", async () => {
    const all = await nights(seeds, Budget.make)
    expect(overspent(all)).toBe(0)
    expect(all.filter(({ end, open }) => (end === "done") !== (open === 0))).toEqual([])
    const waiting = all.filter(({ end }) => end === "waiting")
    expect(waiting.filter(({ left }) => left === null || left.headroomUsd >= left.neededUsd)).toEqual([])
    // What the promise is about did happen.
    expect(waiting.length).toBeGreaterThan(seeds / 10)
    expect(waiting.length).toBeLessThan((seeds * 9) / 10)
    expect(all.filter(({ kills }) => kills > 0).length).toBeGreaterThan(seeds / 4)
    expect(all.filter(({ billedUsd, envelopeUsd }) => billedUsd > envelopeUsd * 0.9).length).toBeGreaterThan(seeds / 20)
  })

  it("[CST-2] finish when there is money enough for every item at its bound, and else use it up to the next call", async () => {
    const enough = await nights(fewer, Budget.make, { isCalm: true, items: 60, boundUnitsMax: 64 })
    expect(enough.map(({ end, sessions, open }) => ({ end, sessions, open }))).toEqual(
      enough.map(() => ({ end: "done", sessions: 1, open: 0 }))
    )
    const short = await nights(fewer, Budget.make, { isCalm: true, items: 260, boundUnitsMax: 120 })
    expect(overspent(short)).toBe(0)
    for (const { end, billedUsd, envelopeUsd } of short) {
      expect(end).toBe("waiting")
      // A bound is 120/4096 of the dollar at most.
      expect(envelopeUsd - billedUsd).toBeLessThan(0.03)
    }
  })

  it("[CST-2] control: with a look at what is spent instead of money held back, the same nights bill more", async () => {
    expect(overspent(await nights(fewer, (options) => Effect.sync(() => new Looker(options))))).toBeGreaterThan(fewer / 10)
  })

  it("[CST-2] control: with blocks that aren't durable, kills make the same nights bill more", async () => {
    const forgetful: OpenPurse = (options) => Budget.make({ ...options, grant: () => Effect.void })
    expect(overspent(await nights(fewer, forgetful))).toBeGreaterThan(fewer / 20)
  })

  it("[CST-2] control: with interrupted calls that count as free, the same nights bill more", async () => {
    const optimist: OpenPurse = (options) =>
      Effect.map(Budget.make(options), (budget) => ({ ...methodsOf(budget), snapshot: () => ({ ...budget.snapshot(), drawnUsd: 0 }) }))
    expect(overspent(await nights(fewer, optimist))).toBeGreaterThan(0)
  })
})

const methodsOf = (budget: Purse): Omit<Purse, "snapshot"> => ({
  reserve: (usd) => budget.reserve(usd),
  settle: (reservation, usd) => budget.settle(reservation, usd),
  release: (reservation) => budget.release(reservation),
  abandon: (reservation) => budget.abandon(reservation),
  tryReserveBatch: (usd) => budget.tryReserveBatch(usd),
  adoptBatch: (usd) => budget.adoptBatch(usd),
  settleBatch: (reservation, boundUsd, costUsd) => budget.settleBatch(reservation, boundUsd, costUsd)
})

/** Looks whether the next call fits what is spent by now, as everybody's first script does. */
class Looker implements Purse {
  readonly #options: BudgetOptions<StoreError>
  #spent = 0

  constructor(options: BudgetOptions<StoreError>) {
    this.#options = options
  }

  get #left(): number {
    const { envelopeUsd, spentUsd } = this.#options
    return envelopeUsd - spentUsd - this.#spent
  }
  readonly reserve: Purse["reserve"] = (usd) =>
    Effect.suspend(() =>
      usd <= this.#left
        ? Effect.succeed({ kind: "call" as const, usd, isOpen: true })
        : Effect.fail(new BudgetSpent({ neededUsd: usd, headroomUsd: this.#left }))
    )
  readonly settle: Purse["settle"] = (_, usd) => void (this.#spent += usd)
  readonly release: Purse["release"] = () => undefined
  readonly abandon: Purse["abandon"] = () => undefined
  readonly tryReserveBatch: Purse["tryReserveBatch"] = (usd) => (usd <= this.#left ? this.adoptBatch(usd) : null)
  readonly adoptBatch: Purse["adoptBatch"] = (usd) => ({ kind: "batch", usd, isOpen: true })
  readonly settleBatch: Purse["settleBatch"] = (_, __, usd) => void (this.#spent += usd)
  readonly snapshot: Purse["snapshot"] = () => ({
    envelopeUsd: this.#options.envelopeUsd,
    spentUsd: this.#options.spentUsd + this.#spent,
    uncertainUsd: 0,
    reservedUsd: 0,
    grantedUsd: 0,
    drawnUsd: this.#spent,
    headroomUsd: this.#left
  })
}
