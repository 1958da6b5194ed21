import { describe, expect, it } from "vitest"

import { mailTexts, openPaidHome, outcomeOf, paidJob } from "../support/paid-home.ts"
import { lastJson } from "../support/run-command.ts"

const items = 6
const labelled = 5

describe("a run whose prompt is new", { timeout: 120_000 }, () => {
  it("[GOV-2] [CST-2] pays for its evaluation from its own budget, in real time; a trial and a later run don't evaluate", async () => {
    await using paid = await openPaidHome(mailTexts(items))
    const { fake, start } = paid
    const env = { PAID_SCORE: "1", PAID_TIER: "realtime" }
    const trial = await start(["run", paidJob, "--limit", "1"], env).ended
    expect(trial.code, trial.stderr).toBe(0)
    expect(fake.stats().paidCalls).toBe(1)
    const first = await start(["run", paidJob], env).ended
    expect(first.code, first.stderr).toBe(0)
    // The trial's answer is reused.
    expect(fake.stats().paidCalls).toBe(labelled + items)
    expect(outcomeOf(trial).spentUsd + outcomeOf(first).spentUsd).toBeCloseTo(fake.stats().paidUsd, 9)
    expect(outcomeOf(first)).toMatchObject({ delivered: items, status: "done" })
    const second = await start(["run", paidJob], env).ended
    expect(second.code, second.stderr).toBe(0)
    expect(fake.stats().paidCalls).toBe(labelled + items)
  })

  it("[GOV-2] that isn't good enough waits with exit code 4, having asked about no item; rejected, it closes", async () => {
    await using paid = await openPaidHome(mailTexts(items))
    const { fake, start } = paid
    const env = { PAID_SCORE: "0.5", PAID_TIER: "batch" }
    const waits = await start(["run", paidJob], env).ended
    expect(waits.code, waits.stderr).toBe(4)
    const { run, gate } = outcomeOf(waits)
    expect(gate).toBe(`${run}.1`)
    // In real time, though the items are for a batch.
    expect(fake.stats()).toMatchObject({ paidCalls: labelled, batches: { created: 0 } })
    const resumed = await start(["resume", run], env).ended
    expect(resumed.code).toBe(4)
    expect(fake.stats().paidCalls).toBe(labelled)
    const rejected = await start(["reject", `${run}.1`], env).ended
    expect(rejected.code, rejected.stderr).toBe(3)
    expect(lastJson(rejected)).toMatchObject({ status: "done", held: items, delivered: 0 })
    expect(outcomeOf(rejected).spentUsd).toBeCloseTo(fake.stats().paidUsd, 9)
    expect(fake.stats().paidCalls).toBe(labelled)
  })
})
