import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"

import { Budget } from "../../runtime/guard/budget.ts"
import { playNight, type NightOptions } from "../support/night/play.ts"
import type { ScriptedProvider } from "../support/night/provider.ts"
import { tellScript } from "../support/night/script.ts"

/** `npm run fault` plays more. */
const nights = Number(process.env["FAULT_NIGHTS"] ?? "200")
const itemsMax = 80

/** How many of the first fifty nights are found to be violated. */
const found = (planted: NonNullable<NightOptions["planted"]>): number =>
  Array.from({ length: 50 }, (_, seed) => playNight({ seed: seed + 1, itemsMax, planted })).filter(
    ({ violations }) => violations.length > 0
  ).length

/** A provider that mixes up answers of items whose number ends in 1. */
const mixingUp = (provider: ScriptedProvider): ScriptedProvider => {
  const { call } = provider
  const mixed: typeof call = (request) =>
    Effect.map(call(request), (reply) => {
      const output = reply.output as { readonly topic?: string }
      return output.topic === undefined ? reply : { ...reply, output: { ...output, topic: output.topic.replace(/1$/, "2") } }
    })
  return Object.assign(provider, { call: mixed })
}

describe("a night of accidents", { timeout: 600_000 }, () => {
  it(`[RTY-1] [RTY-2] [RTY-5] [VAL-1] [CST-2] [CHK-2] [EXE-7] adds up, stays within its envelope and its tries, and ends: ${nights} nights`, () => {
    for (let seed = 1; seed <= nights; seed++) {
      const { violations, script } = playNight({ seed, itemsMax })
      expect(violations, `seed ${seed}: ${tellScript(script)}`).toEqual([])
    }
  })

  it.each([87, 130])("[RTY-1] seed %i: a cascade whose next model took over the count of a rule's retry", (seed) => {
    expect(playNight({ seed, itemsMax: 60 }).violations).toEqual([])
  })

  it("is the same each time", () => {
    for (const seed of [3, 77, 1_234]) {
      const first = playNight({ seed, itemsMax })
      expect(playNight({ seed, itemsMax }).digest).toBe(first.digest)
      expect(playNight({ seed: seed + 1, itemsMax }).digest).not.toBe(first.digest)
    }
  })

  it("has what it is for: kills, gates, retries, and every disposition", () => {
    const all = Array.from({ length: 100 }, (_, seed) => playNight({ seed: seed + 1, itemsMax }))
    expect(all.filter(({ sessions }) => sessions > 1).length).toBeGreaterThan(30)
    for (const trait of [
      "kill",
      "interrupt",
      "budget",
      "failure-rate",
      "rejected",
      "retries",
      "delivered",
      "dead",
      "review",
      "held"
    ] as const)
      expect(all.filter(({ traits }) => traits.has(trait)).length, trait).toBeGreaterThan(3)
  })
})

describe("the judge of nights", { timeout: 600_000 }, () => {
  it("finds a budget that lets everything through", () => {
    const openBudget: typeof Budget.make = (options) => Budget.make({ ...options, envelopeUsd: 1_000_000 })
    expect(found({ openBudget })).toBeGreaterThan(5)
  })
  it("finds a ledger that forgets settlements", () => {
    expect(found({ forgets: true })).toBeGreaterThan(5)
  })
  it("finds answers that were mixed up", () => {
    expect(found({ provider: mixingUp })).toBeGreaterThan(10)
  })
})
