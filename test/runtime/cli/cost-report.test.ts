/** What a run's paid calls cost and what was saved on the way, as the report and the programs are told, held against the provider's books. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { costsOf } from "../../../runtime/report/costs.ts"
import type { RunReport } from "../../../runtime/report/run-report.ts"
import { askJob } from "../../support/ask-run.ts"
import { mailTexts, openPaidHome, outcomeOf, type PaidHome } from "../../support/paid-home.ts"
import { lastJson } from "../../support/run-command.ts"

/** Runs the job, and reads the report of it. */
const reported = async ({ start }: PaidHome, env: Readonly<Record<string, string>>) => {
  const ended = await start(["run", askJob], env).ended
  const outcome = outcomeOf(ended)
  // Figures alone: `--json` prints what the page is drawn from.
  const report = lastJson(await start(["report", outcome.run]).ended) as unknown as RunReport
  return { ended, outcome, report, page: costsOf(report)?.markup ?? "" }
}

describe("the costs of a run", { timeout: 60_000 }, () => {
  it("[CST-4] [CST-3] in the batch tier: half is saved there, also of answers that couldn't be used, and nothing by a cache", async () => {
    // The first try of each is cut in half, and billed.
    await using paid = await openPaidHome(mailTexts(8), { faults: { rates: { "bad-json": 1 }, faultAttempts: 1, batch: { ms: 10 } } })
    const { ended, outcome, report, page } = await reported(paid, { PAID_TIER: "batch" })
    expect(ended.code, ended.stderr).toBe(0)
    const { paidUsd, paidCalls } = paid.fake.stats()
    const { costs } = report
    expect(paidCalls).toBe(16)
    expect(costs.models).toMatchObject([{ step: "notes", model: "gpt-5-mini", calls: 16, failed: 8, reused: 0 }])
    expect(costs.models[0]?.costUsd).toBeCloseTo(paidUsd, 9)
    expect(costs.failedUsd).toBeGreaterThan(paidUsd / 3)
    expect(costs.failedUsd).toBeLessThan(paidUsd)
    expect(costs.savedUsd.batch).toBeCloseTo(paidUsd, 9)
    expect(costs.savedUsd.caching).toBeCloseTo(0, 9)
    expect(costs.savedUsd.reuse).toBe(0)
    expect(outcome).toMatchObject({ calls: 16, reused: 0, cacheReadTokens: 0, gate: null })
    expect(outcome.spentUsd).toBeCloseTo(paidUsd, 9)
    expect(outcome.savedUsd).toBeCloseTo(costs.savedUsd.batch, 9)
    expect(page).toContain("For answers that couldn&#39;t be used")
    expect(page).toContain("8 calls")
  })

  it("[CST-4] with a cached prefix and equal inputs: each saving stands for itself, and they add up to the run's", async () => {
    const texts = ["mail one", "mail two", "mail three", "mail one", "mail one"]
    await using paid = await openPaidHome(texts)
    writeFileSync(join(paid.home.path, "accounts.json"), JSON.stringify({ desk: { concurrencyMax: 1 } }))
    const { ended, outcome, report, page } = await reported(paid, { ASK_HANDBOOK: "1500" })
    expect(ended.code, ended.stderr).toBe(0)
    const { paidUsd } = paid.fake.stats()
    const { costs } = report
    const [model] = costs.models
    expect(model).toMatchObject({ calls: 3, failed: 0, reused: 2 })
    expect(model?.cacheReadTokens).toBeGreaterThan(10_000)
    expect(costs.failedUsd).toBe(0)
    expect(costs.savedUsd.batch).toBe(0)
    // gpt-5-mini: a quarter of a dollar for a million tokens, a tenth of that where they were cached.
    expect(costs.savedUsd.caching).toBeCloseTo(((model?.cacheReadTokens ?? 0) * (0.25 - 0.025)) / 1e6, 9)
    expect(costs.savedUsd.reuse).toBeGreaterThan(0)
    expect(outcome.savedUsd).toBeCloseTo(costs.savedUsd.caching + costs.savedUsd.reuse, 9)
    expect(outcome).toMatchObject({ calls: 3, reused: 2, cacheReadTokens: model?.cacheReadTokens })
    expect(outcome.spentUsd).toBeCloseTo(paidUsd, 9)
    expect(page).toContain("2 answers")

    // All of it again: the answers are those of the first run.
    const again = await reported(paid, { ASK_HANDBOOK: "1500" })
    expect(again.outcome).toMatchObject({ calls: 0, reused: 5, spentUsd: 0 })
    expect(again.report.costs.models).toMatchObject([{ calls: 0, reused: 5, costUsd: 0 }])
    expect(again.report.costs.savedUsd.reuse).toBeCloseTo(again.outcome.savedUsd, 9)
    expect(paid.fake.stats().paidCalls).toBe(3)
  })
})
