/** What a job's classification keeps from a provider, through the real command (SEC-4). */
import { describe, expect, it } from "vitest"

import { askJob } from "../support/ask-run.ts"
import { openPaidHome, outcomeOf } from "../support/paid-home.ts"
import { runNames } from "../support/run-command.ts"

const texts = ["a secret mail"]

describe("a job of restricted data", { timeout: 120_000 }, () => {
  it("[SEC-4] isn't run with a model that is approved for less: it is refused before a call, and nothing is written", async () => {
    await using paid = await openPaidHome(texts)
    const ended = await paid.start(["run", askJob], { ASK_CLASS: "restricted", ASK_APPROVED: "confidential" }).ended
    expect(ended.code).not.toBe(0)
    expect(ended.stderr).toMatch(/restricted/)
    expect(ended.stderr).toMatch(/approvedFor/)
    expect(paid.fake.stats().calls).toBe(0)
    expect(runNames(paid.home.state)).toEqual([])
  })

  it("[SEC-4] is run with one that is approved for it, and its outputs inherit the classification", async () => {
    await using paid = await openPaidHome(texts)
    const ended = await paid.start(["run", askJob], { ASK_CLASS: "restricted", ASK_APPROVED: "restricted" }).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(outcomeOf(ended).delivered).toBe(1)
    const looked = await paid.start(["sql", "select distinct classification from lineage"]).ended
    expect(looked.code, looked.stderr).toBe(0)
    expect(looked.stdout).toContain("restricted")
    expect(paid.fake.stats().calls).toBe(1)
  })
})
