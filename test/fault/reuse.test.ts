/** Equal requests through the real command: what is asked once, what is asked again, and what is never handed on (EXE-9). */
import { beforeAll, describe, expect, it } from "vitest"

import { askIn, askOnce, type AskRun } from "../support/ask-run.ts"
import { openPaidHome, type PaidHome } from "../support/paid-home.ts"

const repeated = (text: string, count: number): ReadonlyArray<string> => Array.from({ length: count }, () => text)
const calls = ({ outcome: { calls, reused, delivered, dead } }: AskRun) => ({ calls, reused, delivered, dead })

describe("equal inputs of one run", { timeout: 120_000 }, () => {
  it.each(["realtime", "batch"])("[EXE-9] are inferred once, and all have the answer (%s)", async (tier) => {
    const texts = [...repeated("mail one", 30), "mail two", ...repeated("mail one", 30)]
    const run = await askOnce(texts, { faults: { latencyMs: 30 }, env: { PAID_TIER: tier } })
    expect(run.ended.code, run.ended.stderr).toBe(0)
    expect(calls(run)).toEqual({ calls: 2, reused: 59, delivered: 61, dead: 0 })
    expect(run.stats.paidCalls).toBe(2)
    expect(run.outcome.spentUsd).toBeCloseTo(run.stats.paidUsd, 9)
    // Each of them has a call of its own in the books, for nothing.
    expect(run.items.calls("k60")).toMatchObject([{ tier: "reused", cost_usd: 0, outcome: "answered", attempt: 1 }])
  })

  it("[EXE-9] control: a step with `reuse: false` infers every one", async () => {
    const run = await askOnce(repeated("mail one", 20), { env: { ASK_REUSE: "no" } })
    expect(calls(run)).toEqual({ calls: 20, reused: 0, delivered: 20, dead: 0 })
    expect(run.stats.paidCalls).toBe(20)
  })

  it("[EXE-9] wait while the first is asked again after a bad answer, and take what came of that", async () => {
    // The first two answers are cut in half, whoever asks.
    const run = await askOnce(repeated("mail one", 20), { faults: { rates: { "bad-json": 1 }, faultAttempts: 2, latencyMs: 30 } })
    expect(calls(run)).toEqual({ calls: 3, reused: 19, delivered: 20, dead: 0 })
    expect(run.stats.paidCalls).toBe(3)
  })

  it("[EXE-9] take no answer that failed or that a rule refused: each asks for itself", async () => {
    let asked = 0
    const texts = [...repeated("mail one", 4), ...repeated("mail two", 4)]
    const run = await askOnce(texts, {
      env: { ASK_RETRIES: "0" },
      // Refused by the rule at first; no JSON at first.
      answer: ({ prompt }) => (asked++ % 2 === 0 ? (prompt.includes("mail one") ? { note: "bad" } : "no JSON") : { note: "fine" })
    })
    const ends = texts.map((_, n) => [...run.items.calls(`k${n}`).map(({ tier }) => tier), run.items.deadOf(`k${n}`) ?? "fine"].join(" "))
    // Whatever order they came in: a dead one was asked for itself, and a reused answer is a good one.
    expect(ends.filter((end) => end === "reused rule" || end === "reused not-json")).toEqual([])
    expect(run.outcome.dead).toBeGreaterThan(0)
    expect(run.outcome.reused).toBeGreaterThan(0)
    expect(run.outcome.calls).toBe(run.stats.paidCalls)
    expect(run.outcome.dead + 2).toBe(run.stats.paidCalls)
  })
})

describe("inputs of an earlier run", { timeout: 120_000 }, () => {
  // Answered at once; cut off, then answered; refused by its rule, then answered; never good.
  const texts = ["mail plain", "mail long", "mail retried", "mail hopeless"]
  let paid: PaidHome
  let first: AskRun
  const env = { ASK_RULE: "retry" }
  const again = async (change: Readonly<Record<string, string>> = {}): Promise<AskRun> => {
    paid.fake.reset()
    return await askIn(paid, { ...env, ...change })
  }
  beforeAll(async () => {
    let refused = 0
    paid = await openPaidHome(texts, {
      answer: ({ prompt }) => {
        if (prompt.includes("mail long")) return { note: "so ".repeat(120) }
        if (prompt.includes("mail hopeless")) return { note: "bad" }
        return { note: prompt.includes("mail retried") && refused++ === 0 ? "bad" : "a note" }
      }
    })
    first = await askIn(paid, env)
    return () => paid[Symbol.asyncDispose]()
  }, 120_000)

  it("[EXE-9] are not inferred again, however many calls it took then; only those that came to nothing are", async () => {
    expect(first.items.outcomes("k1")).toEqual(["truncated", "answered"])
    expect(first.items.outcomes("k2")).toEqual(["answered", "answered"])
    expect(first.items.deadOf("k3")).toBe("rule")
    expect(calls(first)).toEqual({ calls: 8, reused: 0, delivered: 3, dead: 1 })
    const second = await again()
    expect(calls(second)).toEqual({ calls: 3, reused: 3, delivered: 3, dead: 1 })
    for (const key of ["k0", "k1", "k2"]) expect(second.items.calls(key)).toMatchObject([{ tier: "reused", cost_usd: 0 }])
    expect(second.items.calls("k3").map(({ tier }) => tier)).toEqual(["realtime", "realtime", "realtime"])
    expect(second.outcome.spentUsd).toBeCloseTo(second.stats.paidUsd, 9)
  })

  const changes = [
    ["model", { ASK_NAME: "gpt-5-nano" }],
    ["prompt", { ASK_PROMPT: "second" }],
    ["parameters", { ASK_TOKENS: "80" }],
    ["schema", { ASK_SCHEMA: "A short note." }],
    ["mind (`reuse: false`)", { ASK_REUSE: "no" }]
  ] as const
  it.each(changes)("[EXE-9] are inferred again after a change of %s", async (_, change) => {
    const run = await again(change)
    expect(run.outcome.reused).toBe(0)
    expect(run.items.calls("k0")).toMatchObject([{ tier: "realtime" }])
    expect(run.stats.paidCalls).toBe(run.outcome.calls)
  })
})
