/** Calls that a provider refuses or fails, through the real command: how often they are made, and who stops when. */
import { describe, expect, it } from "vitest"

import { askIn, askJob, askOnce, bodiesOf, readItems } from "../support/ask-run.ts"
import { openPaidHome, outcomeOf } from "../support/paid-home.ts"
import { onlyRun } from "../support/run-command.ts"

const mails = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, n) => `mail ${n}.`)

describe("calls that fail", { timeout: 120_000 }, () => {
  it("[case 66] [RTY-1] are made twice, exactly, where one retry is allowed: nobody beneath the run tries again", async () => {
    const run = await askOnce(["a bad one", "a half one", "a good one"], {
      faults: { markers: { bad: "500", half: "bad-json" } },
      env: { ASK_RETRIES: "1" }
    })
    expect(run.ended.code, run.ended.stderr).toBe(3)
    expect(["a bad one", "a half one", "a good one"].map((text) => bodiesOf(run, text).length)).toEqual([2, 2, 1])
    expect(run.stats.calls).toBe(5)
    expect(run.items.outcomes("k0")).toEqual(["server-error", "server-error"])
    expect(run.items.outcomes("k1")).toEqual(["not-json", "not-json"])
    // [RTY-1] Both failed in the primary pass and were asked again in one sweep, after the good one.
    expect(run.outcome).toMatchObject({ retried: 2, sweeps: 1, delivered: 1, dead: 2 })
  })
})

describe("an account that can pay nothing", { timeout: 120_000 }, () => {
  const stops = [
    { title: "[case 23] at the first call that says `insufficient_quota`", model: "responses", tier: "realtime" },
    { title: "[case 11] when every line of a batch says that the credit balance is too low", model: "anthropic", tier: "batch" },
    { title: "[case 11] when every line of a batch says that the quota is used up", model: "responses", tier: "batch" }
  ]
  for (const { title, model, tier } of stops)
    it(`[EXE-7] ${title}: the run stops and says so, nothing is tried again, and a resume delivers all of it`, async () => {
      const env = { PAID_MODEL: model, PAID_TIER: tier }
      await using paid = await openPaidHome(mails(60), { faults: { rates: { quota: 1 } }, keepRequests: 1_000 })
      const { fake, home, start } = paid
      const stopped = await start(["run", askJob], env).ended
      expect(stopped.code).toBe(1)
      expect(stopped.stderr).toContain("the account has no money or quota left")
      expect(stopped.stderr).toContain(`runtime resume ${onlyRun(home.state)}`)
      const items = await readItems(home.state)
      expect(mails(60).every((_, n) => items.deadOf(`k${n}`) === undefined)).toBe(true)
      const asked = fake.requests().map(({ body }) => body)
      // No more than were on their way when the first was refused, and none of them twice.
      expect(asked.length).toBeLessThanOrEqual(16)
      expect(new Set(asked).size).toBe(asked.length)
      expect(fake.stats().batches.created).toBe(tier === "batch" ? 1 : 0)
      fake.faults({ rates: { quota: 0 } })
      const ended = await start(["resume", onlyRun(home.state)], env).ended
      expect(ended.code, ended.stderr).toBe(0)
      expect(outcomeOf(ended)).toMatchObject({ delivered: 60, dead: 0 })
      expect(outcomeOf(ended).spentUsd).toBeCloseTo(fake.stats().paidUsd, 9)
    })
})

describe("lines of a batch", { timeout: 120_000 }, () => {
  it("[case 3] that failed all of them, with no output file: each is a failure with its message, and the run isn't a success", async () => {
    const run = await askOnce(["a poison one", "a poison two"], { faults: { markers: { poison: "context" } }, env: { PAID_TIER: "batch" } })
    expect(run.ended.code).toBe(3)
    expect(run.outcome).toMatchObject({ delivered: 0, dead: 2, spentUsd: 0 })
    for (const key of ["k0", "k1"])
      expect(run.items.problemsOf(key)).toMatchObject([{ code: "context-too-long", message: expect.stringContaining("context window") }])
  })

  const mixed = [
    ["[case 4] in two files are both read: rows in are rows out", false],
    ["[case 5] with `error: null` and a status of 400 are failures", true]
  ] as const
  it.each(mixed)("%s", async (_, errorsInOutput) => {
    const run = await askOnce(["a fine one", "a fine two", "a poison one"], {
      faults: { markers: { poison: "context" }, batch: { errorsInOutput } },
      env: { PAID_TIER: "batch" }
    })
    expect(run.ended.code).toBe(3)
    expect(run.outcome).toMatchObject({ delivered: 2, dead: 1 })
    expect(run.items.outcomes("k2")).toEqual(["context-too-long"])
    // Half the price, and nothing for the line that failed.
    expect(run.outcome.spentUsd).toBeCloseTo(run.stats.paidUsd, 9)
    expect(run.items.calls("k2")).toMatchObject([{ cost_usd: 0, tier: "batch" }])
  })
})

describe("calls that failed", { timeout: 120_000 }, () => {
  it("[EXE-9] [case 20] in a first run are no results: a second run makes them, and only them, and then there is nothing left to ask", async () => {
    const texts = [...mails(10), "an odd one", "a broken two"]
    await using paid = await openPaidHome(texts, { faults: { markers: { odd: "500", broken: "bad-json" } } })
    const { fake } = paid
    const first = await askIn(paid, { ASK_RETRIES: "1" })
    expect(first.ended.code).toBe(3)
    expect(first.outcome).toMatchObject({ delivered: 10, dead: 2 })
    fake.reset({ markers: { odd: null, broken: null } })
    const second = await askIn(paid, { ASK_RETRIES: "1" })
    expect(second.ended.code, second.ended.stderr).toBe(0)
    expect(second.outcome).toMatchObject({ delivered: 12, reused: 10, calls: 2 })
    expect(fake.stats().calls).toBe(2)
    const third = await askIn(paid, { ASK_RETRIES: "1" })
    expect(third.outcome).toMatchObject({ delivered: 12, reused: 12, calls: 0, spentUsd: 0 })
    expect(fake.stats().calls).toBe(2)
  })
})
