import { describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import { Budget, BudgetSpent } from "../../../runtime/guard/budget.ts"
import { spendNight, type Night, type NightOptions, type OpenPurse } from "../../support/spend-night.ts"

const seeds = 250
const minutesMax = 2_000

/** Moves the clock until the night is over: one that hangs fails. */
const play = (options: NightOptions): Promise<Night> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const night = yield* Effect.forkChild(spendNight(options))
      for (let minute = 0; minute < minutesMax && night.pollUnsafe() === undefined; minute++) yield* TestClock.adjust("1 minute")
      const exit = night.pollUnsafe()
      if (exit === undefined) throw new Error(`seed ${options.seed} hangs`)
      return yield* Exit.isSuccess(exit) ? Effect.succeed(exit.value) : Fiber.join(night)
    }).pipe(Effect.provide(TestClock.layer()))
  )

const nights = async (openPurse: OpenPurse, over: Partial<NightOptions> = {}): Promise<ReadonlyArray<Night>> => {
  const all: Array<Night> = []
  for (let seed = 1; seed <= seeds; seed++)
    all.push(await play({ seed, items: 10 + ((seed * 37) % 190), boundUnitsMax: [8, 24, 64, 120][seed % 4] ?? 8, openPurse, ...over }))
  return all
}

const overspent = (all: ReadonlyArray<Night>): number => all.filter(({ overspentUsd }) => overspentUsd > 0).length

describe("nights of calls, batches, errors, kills and resumes", () => {
  it("[CST-2] never bill more than the envelope of that moment, and end: finished, or at a gate with less than the next call may cost", async () => {
    const all = await nights(Budget.make)
    expect(all.filter(({ overspentUsd }) => overspentUsd > 0)).toEqual([])
    expect(all.filter(({ end, open }) => (end === "done") !== (open === 0))).toEqual([])
    for (const { end, left } of all)
      if (end === "waiting" && left !== null && left.neededUsd > 0) expect(left.headroomUsd).toBeLessThan(left.neededUsd)
    console.log(
      all
        .map((n) =>
          [
            n.end,
            n.sessions,
            n.kills,
            (n.billedUsd / n.envelopeUsd).toFixed(2),
            n.open,
            n.left?.neededUsd.toFixed(4),
            n.left?.headroomUsd.toFixed(4)
          ].join(" ")
        )
        .join("\n")
    )
    // What the promise is about did happen.
    expect(all.filter(({ end }) => end === "done").length).toBeGreaterThan(seeds / 10)
    expect(all.filter(({ end }) => end === "waiting").length).toBeGreaterThan(seeds / 10)
    expect(all.filter(({ kills }) => kills > 0).length).toBeGreaterThan(seeds / 4)
    expect(all.filter(({ billedUsd, envelopeUsd }) => billedUsd > envelopeUsd * 0.9).length).toBeGreaterThan(seeds / 20)
  })
})
