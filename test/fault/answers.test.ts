/** Odd, broken and refused answers, through the real command: what each item comes to, what was paid for, and what the books say. */
import { beforeAll, describe, expect, it } from "vitest"

import { askOnce, bodiesOf, type AskRun } from "../support/ask-run.ts"
import type { Author } from "../support/fake-provider/answer.ts"
import type { FaultsPatch } from "../support/fake-provider/faults.ts"

const bounds = ["max_output_tokens", "max_completion_tokens", "max_tokens"]
const boundsOf = (run: AskRun, text: string) => bodiesOf(run, text).map((body) => body[bounds.find((name) => name in body) ?? ""])

// One item a fault, which strikes its first call only; `long` and `endless` say more than their bound lets them.
const words = ["fine", "poison", "fenced", "prose", "long", "endless", "think", "empty", "odd", "half", "twice"] as const
type Word = (typeof words)[number]
const keyOf = (word: Word): string => `k${words.indexOf(word)}`
const textOf = (word: Word): string => `the ${word} one`
const faults: FaultsPatch = {
  faultAttempts: 1,
  markers: {
    poison: "context",
    fenced: "fenced",
    prose: "prose",
    think: "empty-reasoning",
    empty: "no-choices",
    odd: "error-200",
    half: "bad-json"
  }
}

/** A token of the fake's is four characters; the job gives 64. */
const answers = (): Author => {
  const refused = ["bad first", "bad second"]
  return ({ prompt }) => {
    if (prompt.includes(textOf("long"))) return { note: "so ".repeat(120) }
    if (prompt.includes(textOf("endless"))) return { note: "so ".repeat(1_000) }
    if (prompt.includes(textOf("twice"))) return { note: refused.shift() ?? "good" }
    return { note: "a note" }
  }
}

const tiers = [
  { model: "responses", tier: "realtime" },
  { model: "chat", tier: "realtime" },
  { model: "anthropic", tier: "realtime" },
  { model: "responses", tier: "batch" },
  { model: "anthropic", tier: "batch" }
] as const

describe.each(tiers)("what a model says ($model, $tier)", { timeout: 120_000 }, ({ model, tier }) => {
  let run: AskRun
  beforeAll(async () => {
    run = await askOnce(words.map(textOf), {
      faults,
      answer: answers(),
      env: { PAID_MODEL: model, PAID_TIER: tier, ASK_RETRIES: "5", ASK_RULE: "retry" }
    })
  }, 120_000)

  it("[EXE-4] [CST-3] delivers every item but those that can't be, and its books are the provider's, broken answers included", () => {
    expect(run.ended.code, run.ended.stderr).toBe(3)
    expect(run.outcome).toMatchObject({ delivered: words.length - 2, dead: 2 })
    expect(run.outcome.spentUsd).toBeCloseTo(run.stats.paidUsd, 9)
    expect(run.items.costUsd).toBeCloseTo(run.stats.paidUsd, 9)
    expect(run.stats.paidUsd).toBeGreaterThan(0)
  })

  it("[case 16] one row that is too long is a dead letter without a retry, and the others go on", () => {
    expect(run.items.outcomes(keyOf("poison"))).toEqual(["context-too-long"])
    expect(run.items.deadOf(keyOf("poison"))).toBe("context-too-long")
    expect(run.items.outcomes(keyOf("fine"))).toEqual(["answered"])
  })

  it("[case 24] 200 with nothing in it, or with an error, is a typed failure whose body is kept", () => {
    for (const word of ["empty", "odd"] as const) {
      expect(run.items.outcomes(keyOf(word))).toEqual(["no-answer", "answered"])
      const [problem] = run.items.problemsOf(keyOf(word))
      expect(problem).toMatchObject({ code: "no-answer" })
      expect(JSON.parse(String(problem?.["raw"]))).toBeTypeOf("object")
    }
  })

  it("[VAL-2] [case 25] JSON in a fence or behind prose is repaired without another call, and flagged", () => {
    for (const word of ["fenced", "prose"] as const) {
      expect(run.items.outcomes(keyOf(word))).toEqual(["answered"])
      expect(run.items.flagsOf(keyOf(word))).toEqual(["repaired"])
    }
    expect(run.items.flagsOf(keyOf("fine"))).toEqual([])
    // What can't be repaired is asked for again.
    expect(run.items.outcomes(keyOf("half"))).toEqual(["not-json", "answered"])
  })

  it("[VAL-2] [case 26] a truncated answer is told from a bad one, paid for, and asked for again with twice the room, and never twice with the same", () => {
    expect(run.items.outcomes(keyOf("long"))).toEqual(["truncated", "answered"])
    expect(run.items.problemsOf(keyOf("long"))).toMatchObject([{ code: "truncated" }])
    expect(run.items.outcomes(keyOf("endless"))).toEqual(["truncated", "truncated", "truncated"])
    expect(run.items.calls(keyOf("endless")).map(({ output_tokens }) => output_tokens)).toEqual([64, 128, 256])
    expect(run.items.deadOf(keyOf("endless"))).toBe("truncated")
    for (const call of run.items.calls(keyOf("endless"))) expect(Number(call["cost_usd"])).toBeGreaterThan(0)
    if (tier === "batch") return
    expect(boundsOf(run, textOf("long"))).toEqual([64, 128])
    expect(boundsOf(run, textOf("endless"))).toEqual([64, 128, 256])
    expect(boundsOf(run, textOf("half"))).toEqual([64, 64])
  })

  it("[VAL-2] [case 27] an answer that was all reasoning is told as that, with its cost", () => {
    expect(run.items.outcomes(keyOf("think"))).toEqual(["empty-after-reasoning", "answered"])
    const [thought] = run.items.calls(keyOf("think"))
    expect(thought).toMatchObject({ output_tokens: 64, reasoning_tokens: 63 })
    expect(Number(thought?.["cost_usd"])).toBeGreaterThan(0)
  })

  it("[case 38] two answers that a rule refuses, then a good one: all three are paid for and counted, and the repair prompt doesn't pile up", () => {
    expect(run.items.outcomes(keyOf("twice"))).toEqual(["answered", "answered", "answered"])
    for (const call of run.items.calls(keyOf("twice"))) expect(Number(call["cost_usd"])).toBeGreaterThan(0)
    if (tier === "batch") return
    const said = bodiesOf(run, textOf("twice")).map((body) => JSON.stringify(body))
    expect(said.map((body) => [body.includes("bad first"), body.includes("bad second")])).toEqual([
      [false, false],
      [true, false],
      [false, true]
    ])
  })
})
