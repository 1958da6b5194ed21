/** Rate limits, outages and interruptions of paid calls, through the real command: what waits, what goes on, and what is left behind. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { askIn, askJob, askOnce, readItems } from "../support/ask-run.ts"
import { openPaidHome, outcomeOf, type PaidHome } from "../support/paid-home.ts"
import { onlyRun, until } from "../support/run-command.ts"

const mails = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, n) => `mail ${n}.`)
const limit = ({ home }: PaidHome, limits: Readonly<Record<string, number>>): void =>
  writeFileSync(join(home.path, "accounts.json"), JSON.stringify({ desk: limits }))

describe("an account with a rate limit", { timeout: 120_000 }, () => {
  const forms = [
    { form: "ms", ms: 40, model: "responses" },
    { form: "seconds", ms: 1_000, model: "anthropic" },
    { form: "date", ms: 1_000, model: "anthropic" },
    { form: "past-date", ms: 1_000, model: "responses" },
    { form: "seconds", ms: 0, model: "responses" }
  ] as const
  it.each(forms)(
    "[EXE-6] [case 21] that says when to come back ($form, $ms ms) is asked once more, not hammered",
    async ({ form, ms, model }) => {
      await using paid = await openPaidHome(mails(6), { faults: { next: ["429", "ok", "429", "429"], retryAfter: { form, ms } } })
      limit(paid, { concurrencyMax: 1 })
      const run = await askIn(paid, { PAID_MODEL: model })
      expect(run.ended.code, run.ended.stderr).toBe(0)
      expect(run.stats).toMatchObject({ calls: 9, paidCalls: 6, maxInFlight: 1 })
      expect(run.stats.byStatus[429]).toBe(3)
      expect(mails(6).map((_, n) => run.items.outcomes(`k${n}`))).toEqual(mails(6).map(() => ["answered"]))
    }
  )

  it("[EXE-6] [case 39] of which every third call is a 429: it goes on, and no retry is used up", async () => {
    const run = await askOnce(mails(60), {
      faults: { every429: 3, retryAfter: { form: "ms", ms: 20 } },
      // One retry would be used up at once.
      env: { ASK_RETRIES: "0" }
    })
    expect(run.ended.code, run.ended.stderr).toBe(0)
    expect(run.outcome).toMatchObject({ delivered: 60, dead: 0, calls: 60 })
    expect(run.stats.byStatus[429]).toBeGreaterThanOrEqual(20)
    expect(run.stats.paidCalls).toBe(60)
    expect(mails(60).every((_, n) => run.items.calls(`k${n}`).length === 1)).toBe(true)
  })

  it("[EXE-6] [case 21] that is closed beyond the run's deadline leaves its items open, and says until when", async () => {
    await using paid = await openPaidHome(mails(20), { faults: { rates: { "429": 1 }, retryAfter: { form: "seconds", ms: 7_200_000 } } })
    const env = { ASK_WITHIN: "yes" }
    const run = () => onlyRun(paid.home.state)
    const stopped = await paid.start(["run", askJob], env).ended
    expect(stopped.code).toBe(1)
    expect(stopped.stderr).toMatch(/takes no call of account "desk" before 20\d\d-\d\d-\d\dT[\d:.]+Z, which is behind the run's deadline/)
    expect(stopped.stderr).toContain(`runtime resume ${run()}`)
    // Nobody waited for it, and nobody asked twice.
    expect(paid.fake.stats().calls).toBeLessThanOrEqual(16)
    const items = await readItems(paid.home.state)
    expect(mails(20).every((_, n) => items.deadOf(`k${n}`) === undefined)).toBe(true)
    paid.fake.faults({ rates: { "429": 0 } })
    const ended = await paid.start(["resume", run()], env).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(outcomeOf(ended)).toMatchObject({ delivered: 20, dead: 0 })
  })

  it("[EXE-6] whose headers say what is left is asked no faster than that: after the first answers it refuses none", async () => {
    const run = await askOnce(mails(40), { faults: { limits: { rpm: 600, burstSeconds: 1 } } })
    expect(run.ended.code, run.ended.stderr).toBe(0)
    expect(run.outcome).toMatchObject({ delivered: 40 })
    // Sixteen go out before anything is known of the limit.
    expect(run.stats.byStatus[429] ?? 0).toBeLessThanOrEqual(16)
    expect(run.stats.paidCalls).toBe(40)
  })

  it("[EXE-6] [case 64] never has more calls at once than it may, and a freed slot wakes the next", async () => {
    await using paid = await openPaidHome(mails(100), { faults: { latencyMs: 10 } })
    limit(paid, { concurrencyMax: 2 })
    const run = await askIn(paid)
    expect(run.outcome).toMatchObject({ delivered: 100 })
    expect(run.stats).toMatchObject({ calls: 100, maxInFlight: 2 })
  })
})

describe("a provider in an outage", { timeout: 120_000 }, () => {
  // An overload uses up no retry; what a 503 is worth can't be told before the breaker has opened.
  it.each([
    ["529", "0"],
    ["503", "3"]
  ] as const)(
    "[OPS-5] [EXE-7] [case 45] provider outage (%s): the run pauses, tells people, and goes on by itself when it is over; spacing decides, not a count of %s tries",
    async (mode, retries) => {
      await using paid = await openPaidHome(mails(60), { faults: { outage: { on: true, mode } } })
      const command = paid.start(["run", askJob], { PAID_MODEL: "anthropic", ASK_RETRIES: retries })
      await until(() => command.stderr().includes("pauses"))
      const before = paid.fake.stats().calls
      paid.fake.faults({ outage: { on: false } })
      const ended = await command.ended
      expect(ended.code, ended.stderr).toBe(0)
      expect(ended.stderr).toContain("is answering again")
      expect(outcomeOf(ended)).toMatchObject({ delivered: 60, dead: 0 })
      expect(paid.fake.stats().paidCalls).toBe(60)
      // What opened it, and what was in flight then: nobody went on asking a provider that was down.
      expect(before).toBeLessThan(60)
    }
  )
})

describe("a run of paid calls that is told to stop", { timeout: 120_000 }, () => {
  it.each(["SIGINT", "cancel"])("[CRD-3] [case 62] by %s makes no further call, and every call in flight is aborted", async (by) => {
    await using paid = await openPaidHome(mails(1_000), { faults: { latencyMs: 600_000 } })
    const { fake, home, start } = paid
    const command = start(["run", askJob])
    await until(() => fake.stats().inFlight === 16)
    const cancelled = by === "cancel" ? await start(["cancel", onlyRun(home.state)]).ended : null
    // A second signal would force the process to end at once.
    if (by === "SIGINT") command.kill("SIGINT")
    const ended = await command.ended
    expect(cancelled?.code ?? 0, cancelled?.stderr).toBe(0)
    expect(ended.code, ended.stderr).toBe(130)
    expect(fake.stats()).toMatchObject({ calls: 16, inFlight: 0, aborted: 16 })
    fake.faults({ latencyMs: 0 })
    const resumed = await start(["resume", onlyRun(home.state)]).ended
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(outcomeOf(resumed).delivered).toBe(1_000)
  })
})

describe("Ctrl-C while a batch is polled", { timeout: 120_000 }, () => {
  it("[EXE-5] [case 15] says what still runs and is billed, and a resume takes just that", async () => {
    await using paid = await openPaidHome(mails(30), { faults: { batch: { hold: true }, chores: { retrieve: ["ok"] } } })
    const { fake, home, start } = paid
    const env = { PAID_TIER: "batch" }
    const command = start(["run", askJob], env)
    await until(() => fake.faults().chores.retrieve.length === 0)
    command.kill("SIGINT")
    const stopped = await command.ended
    const run = onlyRun(home.state)
    expect(stopped.code, stopped.stderr).toBe(130)
    for (const said of [fake.batches()[0]?.id ?? "none", "billed", `runtime resume ${run}`, `runtime cancel ${run}`])
      expect(stopped.stderr).toContain(said)
    expect(fake.stats().batches).toMatchObject({ created: 1, cancelled: 0 })
    fake.faults({ batch: { hold: false } })
    const ended = await start(["resume", run], env).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(outcomeOf(ended).delivered).toBe(30)
    expect(fake.stats()).toMatchObject({ paidCalls: 30, paidTwice: 0, batches: { created: 1, cancelled: 0 } })
  })
})
