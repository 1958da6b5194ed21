/** What a stopped run leaves at a provider is said, and `cancel` brings it home: stopped there, what was answered taken, for it is paid. */
import { describe, expect, it } from "vitest"

import type { FaultsPatch } from "../support/fake-provider/faults.ts"
import { mailTexts, openPaidHome, outcomeOf, paidJob, type PaidHome } from "../support/paid-home.ts"
import { lastJson, onlyRun, until, type Ended } from "../support/run-command.ts"

const items = 120
const answered = 50

/** A batch of which so many requests are done, and the run whose process waits for the rest. */
const begin = async (model: string, faults: FaultsPatch = {}) => {
  const batch = { hold: true, processed: answered, cancelMs: 300 }
  const paid = await openPaidHome(mailTexts(items), { faults: { batch, chores: { retrieve: ["ok"] }, ...faults } })
  const env = { PAID_TIER: "batch", PAID_MODEL: model }
  const command = paid.start(["run", paidJob], env)
  // Once it is polled, its creation is durable.
  await until(() => paid.fake.faults().chores.retrieve.length === 0 && paid.fake.batches()[0]?.completed === answered)
  const again = (...args: ReadonlyArray<string>): Promise<Ended> => paid.start(args, env).ended
  return { ...paid, env, command, again, run: onlyRun(paid.home.state), [Symbol.asyncDispose]: () => paid[Symbol.asyncDispose]() }
}

/** What was answered is delivered and paid once; a resume asks the rest, and nothing twice. */
const expectTaken = async ({ fake, again, run }: Awaited<ReturnType<typeof begin>>, cancelled: Ended): Promise<void> => {
  expect(cancelled.code, cancelled.stderr).toBe(0)
  expect(lastJson(cancelled)).toMatchObject({ run, status: "cancelled", committed: answered, manifest: items })
  expect(lastJson(cancelled)["spentUsd"]).toBeCloseTo(fake.stats().paidUsd, 9)
  expect(fake.stats().batches).toMatchObject({ created: 1, cancelled: 1 })
  fake.faults({ batch: { hold: false, processed: -1 } })
  const resumed = await again("resume", run)
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(outcomeOf(resumed).delivered).toBe(items)
  const { paidTwice, paidCalls, paidUsd } = fake.stats()
  expect({ paidTwice, paidCalls }).toEqual({ paidTwice: 0, paidCalls: items })
  expect(outcomeOf(resumed).spentUsd).toBeCloseTo(paidUsd, 9)
}

const isStill = (paid: PaidHome): ReadonlyArray<string> => paid.fake.batches().map(({ status }) => status)

describe("a run that waits for a provider's batch", { timeout: 90_000 }, () => {
  for (const model of ["responses", "anthropic"]) {
    it(`[EXE-5] [case 15] stopped by Ctrl-C (${model}) says what is billable and what to type; \`cancel\` stops it and takes what was answered`, async () => {
      await using begun = await begin(model)
      const { command, fake, again, run } = begun
      command.kill("SIGINT")
      const ended = await command.ended
      expect(ended.code, ended.stderr).toBe(130)
      const [batch] = fake.batches()
      for (const said of [batch?.id ?? "none", `${items} requests`, `runtime resume ${run}`, `runtime cancel ${run}`])
        expect(ended.stderr).toContain(said)
      expect(isStill(begun)).toEqual(["live"])
      await expectTaken(begun, await again("cancel", run))
    })
  }

  it("[EXE-5] [case 15] killed with SIGKILL is cancelled alike", async () => {
    await using begun = await begin("responses")
    begun.command.kill("SIGKILL")
    await begun.command.ended
    await expectTaken(begun, await begun.again("cancel", begun.run))
  })

  it("[EXE-5] [case 15] cancelled while it works says what still stops at the provider; a second `cancel` waits for it, a third has nothing to do", async () => {
    await using begun = await begin("responses", { batch: { hold: true, processed: answered, cancelMs: 8_000 } })
    const { command, fake, again, run } = begun
    const first = await again("cancel", run)
    expect(first.code, first.stderr).toBe(0)
    const stopped = await command.ended
    expect(stopped.stderr).toContain(`runtime cancel ${run}`)
    expect(lastJson(first)).toMatchObject({ status: "cancelled", batchesLeft: 1 })
    expect(isStill(begun)).toEqual(["cancelling"])
    const short = await again("cancel", run, "--wait", "1")
    expect(short.code, short.stderr).toBe(0)
    expect(lastJson(short)).toMatchObject({ status: "cancelled", committed: 0 })
    await until(() => fake.batches().every(({ status }) => status === "cancelled"))
    await expectTaken(begun, await again("cancel", run))
    const third = await again("cancel", run)
    expect(third.code).toBe(2)
  })

  it("[EXE-5] whose cancellation the provider refuses at first is asked again until it takes it", async () => {
    await using begun = await begin("responses", { chores: { retrieve: ["ok"], cancel: ["refuse-500", "refuse-reset"] } })
    begun.command.kill("SIGINT")
    await begun.command.ended
    const cancelled = await begun.again("cancel", begun.run)
    expect(cancelled.stderr).toContain("It is tried again")
    await expectTaken(begun, cancelled)
  })

  it("[EXE-5] and whose job has changed since: its batch is stopped, its answers are left for a person's word", async () => {
    await using begun = await begin("responses")
    const { command, env, run, start } = begun
    command.kill("SIGINT")
    await command.ended
    const cancelled = await start(["cancel", run], { ...env, PAID_BUDGET: "7" }).ended
    expect(cancelled.code).toBe(1)
    expect(lastJson(cancelled)).toMatchObject({ run, faults: [] })
    expect(isStill(begun)).toEqual(["cancelling"])
    await expectTaken(begun, await begun.again("cancel", run))
  })
})
