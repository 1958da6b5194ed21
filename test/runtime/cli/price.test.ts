/** What a run is expected to cost, through the real command, and what it comes to against the fake provider (CST-1). */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { budgetGate, suggestedUsd } from "../../../runtime/execute/budget-gate.ts"
import type { PriceEstimate } from "../../../runtime/execute/price-estimate.ts"
import { mailTexts, openPaidHome, outcomeOf, paidJob } from "../../support/paid-home.ts"
import { lastJson, runNames, startRuntime, until, type Ended } from "../../support/run-command.ts"

/** As `runtime plan --json` prints it. */
interface Planned {
  readonly priceUsd: number | null
  readonly price: PriceEstimate
  readonly warnings: ReadonlyArray<string>
}

const plannedOf = (ended: Ended): Planned => {
  expect(ended.code, ended.stderr).toBe(0)
  return lastJson(ended) as unknown as Planned
}

describe("the price of a run", { timeout: 60_000 }, () => {
  it.each([
    ["realtime", "responses"],
    ["batch", "anthropic"]
  ])(
    "[CST-1] is told by plan near what it comes to, kept with the run, and nearer once a run has measured it (%s, %s)",
    async (tier, model) => {
      await using paid = await openPaidHome(mailTexts(40), { faults: { batch: { ms: 10 } } })
      const env = { PAID_TIER: tier, PAID_MODEL: model }
      const plan = async (...flags: ReadonlyArray<string>) => plannedOf(await paid.start(["plan", paidJob, ...flags], env).ended)
      const first = await plan()
      expect(paid.fake.stats().calls).toBe(0)
      expect(first.price.models).toMatchObject([{ step: "topics", tier, requests: 40, isUpTo: false, input: "sampled", output: "assumed" }])
      expect(first.warnings).toEqual([])

      const ended = await paid.start(["run", paidJob], env).ended
      expect(ended.code, ended.stderr).toBe(0)
      const { spentUsd, estimateUsd } = outcomeOf(ended)
      expect(spentUsd).toBeCloseTo(paid.fake.stats().paidUsd, 9)
      expect(estimateUsd).toBeCloseTo(first.price.likelyUsd ?? 0, 9)
      const { lowUsd, likelyUsd, highUsd } = first.price
      expect(lowUsd).toBeLessThan(spentUsd * 1.3)
      expect(highUsd).toBeGreaterThan(spentUsd)
      expect((likelyUsd ?? 0) / spentUsd).toBeGreaterThan(0.5)
      expect((likelyUsd ?? 0) / spentUsd).toBeLessThan(3)

      const second = await plan()
      expect(second.price.models).toMatchObject([{ requests: 40, input: "sampled", output: "measured" }])
      expect((second.price.likelyUsd ?? 0) / spentUsd).toBeGreaterThan(0.8)
      expect((second.price.likelyUsd ?? 0) / spentUsd).toBeLessThan(1.25)
      expect(second.price.highUsd).toBeCloseTo(highUsd ?? 0, 9)

      // The next run takes its answers from the first, and has measured nothing of them anew.
      const reused = await paid.start(["run", paidJob], env).ended
      expect(outcomeOf(reused)).toMatchObject({ calls: 0, reused: 40 })
      expect((await plan()).price).toEqual(second.price)
    }
  )

  it("[CST-1] is warned of by plan --budget where the likely or the highest is above it", async () => {
    await using paid = await openPaidHome(mailTexts(40))
    const plan = async (budget: string) => plannedOf(await paid.start(["plan", paidJob, "--budget", budget]).ended)
    const { price, warnings } = await plan("0.0001")
    expect(warnings).toEqual([
      expect.stringMatching(/^the likely price, \$0\.00\d+, is above the budget of \$0\.0001: a run would wait at its budget gate\./)
    ])
    const between = String(((price.likelyUsd ?? 0) + (price.highUsd ?? 0)) / 2)
    expect((await plan(between)).warnings).toEqual([
      expect.stringMatching(/^a run may cost up to \$0\.00\d+, and its budget is \$0\.00\d+: if answers are long it waits/)
    ])
    expect((await plan("1")).warnings).toEqual([])
  })

  it("[CST-1] of a trial is measured too: of the items it had", async () => {
    await using paid = await openPaidHome(mailTexts(40))
    const trial = await paid.start(["run", paidJob, "--limit", "5"]).ended
    expect(trial.code, trial.stderr).toBe(0)
    const { spentUsd, estimateUsd } = outcomeOf(trial)
    expect((estimateUsd ?? 0) / spentUsd).toBeLessThan(3)
    const { price } = plannedOf(await paid.start(["plan", paidJob]).ended)
    expect(price.models).toMatchObject([{ requests: 40, output: "measured" }])
    expect((price.likelyUsd ?? 0) / (spentUsd * 8)).toBeCloseTo(1, 0)
  })
})

describe("a model without a known price", { timeout: 60_000 }, () => {
  const env = { PAID_MODEL: "compatible", PAID_PRICE: "no" }

  it("[CST-3] (case 37) is refused by run before anything is written or asked, with how to give one", async () => {
    await using paid = await openPaidHome(mailTexts(3))
    const { home, fake } = paid
    const ended = await paid.start(["run", paidJob, "--budget", "1"], env).ended
    expect(ended.code).toBe(1)
    const { message } = lastJson(ended)["error"] as { readonly message: string }
    expect(message).toContain('Job "paid" asks llama, and no price is known of it')
    expect(message).toContain("Nothing was run or written.")
    expect(message).toContain("price: { inputUsd: 0.25, outputUsd: 2 }")
    expect(runNames(home.state)).toEqual([])
    expect(existsSync(join(home.state, "control.duckdb"))).toBe(false)
    expect(existsSync(join(home.state, "state.key"))).toBe(false)
    expect(fake.stats().calls).toBe(0)
    // Control: with a price it runs.
    const priced = await paid.start(["run", paidJob, "--budget", "1"], { ...env, PAID_PRICE: "yes", BOX_API_KEY: "any" }).ended
    expect(priced.code, priced.stderr).toBe(0)
    expect(outcomeOf(priced).spentUsd).toBeGreaterThan(0)
  })

  it("[CST-3] (case 37) plan says that the price is unknown, and that a run would refuse", async () => {
    await using paid = await openPaidHome(mailTexts(3))
    const { home, fake } = paid
    const planned = plannedOf(await paid.start(["plan", paidJob], env).ended)
    expect(planned).toMatchObject({ priceUsd: null, price: { lowUsd: null, likelyUsd: null, highUsd: null, unpriced: ["llama"] } })
    expect(planned.warnings).toEqual([
      expect.stringContaining('`runtime run` would refuse: Job "paid" asks llama, and no price is known of it')
    ])
    const typed = await startRuntime(["plan", paidJob, "--state", home.state], {
      cwd: home.path,
      env: { ...fake.env, ...env, FAULT_INPUT: join(home.path, "items.jsonl") }
    }).ended
    expect(typed.stdout).toMatch(/price +unknown: no price is known of llama\n/)
  })
})

describe("the warning at 80 % of the budget", { timeout: 60_000 }, () => {
  const warning = /has spent \$0\.00\d+ of its \$0\.0\d+/g
  const warned = (...ended: ReadonlyArray<Ended>): number => ended.flatMap(({ stderr }) => stderr.match(warning) ?? []).length
  const accounts = (folder: string): void => writeFileSync(join(folder, "accounts.json"), JSON.stringify({ desk: { concurrencyMax: 2 } }))

  it("[CST-2] is given once by a run that comes to an end within its budget, and not by one that stays below", async () => {
    await using paid = await openPaidHome(mailTexts(100))
    // A hundred cost 0.0035; what is left has room for the bound of the last.
    const ended = await paid.start(["run", paidJob, "--budget", "0.0041"]).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(outcomeOf(ended).spentUsd).toBeGreaterThan(0.8 * 0.0041)
    expect(warned(ended)).toBe(1)
    await using other = await openPaidHome(mailTexts(100))
    const below = await other.start(["run", paidJob, "--budget", "0.1"]).ended
    expect(warned(below)).toBe(0)
  })

  it("[CST-2] is given once over a kill, a resume and an approval", async () => {
    await using paid = await openPaidHome(mailTexts(100), { faults: { markers: { "Mail 99 ": "hang" } } })
    const { home, fake } = paid
    accounts(home.path)
    const command = paid.start(["run", paidJob, "--budget", "0.0041"])
    // All but the one that hangs are paid for.
    await until(() => command.stderr().includes("has spent "))
    command.kill("SIGKILL")
    const killed = await command.ended
    const [run = ""] = runNames(home.state)
    fake.faults({ markers: { "Mail 99 ": "ok" } })
    // What was granted to the calls that were cut off counts as spent, and leaves no room for another.
    const resumed = await paid.start(["resume", run]).ended
    expect(resumed.code, resumed.stderr).toBe(4)
    const [gate] = JSON.parse((await paid.start(["gates"]).ended).stdout) as ReadonlyArray<{ readonly detail: unknown }>
    const detail = budgetGate.read(gate?.detail)
    if (detail === null) throw new Error("The gate has no detail")
    expect(detail.uncertainUsd).toBeGreaterThan(0)
    const approved = await paid.start(["approve", `${run}.1`, "--add-usd", String(suggestedUsd(detail))]).ended
    expect(approved.code, approved.stderr).toBe(0)
    const { delivered, spentUsd } = outcomeOf(approved)
    expect(delivered).toBe(100)
    expect(Math.max(spentUsd, fake.stats().paidUsd)).toBeLessThanOrEqual(0.0041 + suggestedUsd(detail))
    expect(warned(killed, resumed, approved)).toBe(1)
  })
})
