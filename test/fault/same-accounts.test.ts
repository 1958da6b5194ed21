/** A run goes on with the accounts it began with, wherever and by whatever verb. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { mailTexts, openPaidHome, outcomeOf, paidJob } from "../support/paid-home.ts"
import { onlyRun, until } from "../support/run-command.ts"

const key = "staging-key-0815"
const items = 60

/** A run under `--env staging`, whose key is the only one that the provider takes, until it stopped. */
const begin = async (budget: string) => {
  const paid = await openPaidHome(mailTexts(items), { faults: { keys: [key], latencyMs: 30 } })
  const { home, fake, start } = paid
  writeFileSync(join(home.path, "staging.key"), key)
  writeFileSync(join(home.path, "accounts.staging.json"), JSON.stringify({ desk: { keyFile: "staging.key", concurrencyMax: 2 } }))
  const command = start(["run", paidJob, "--env", "staging", "--budget", budget])
  if (budget === "5") {
    await until(() => fake.stats().paidCalls >= 5)
    command.kill("SIGINT")
  }
  const ended = await command.ended
  return { ...paid, run: onlyRun(home.state), ended, [Symbol.asyncDispose]: () => paid[Symbol.asyncDispose]() }
}

describe("a run that began under --env", { timeout: 60_000 }, () => {
  it("[SEC-1] is resumed with the same accounts without saying so again, and from another folder too", async () => {
    await using begun = await begin("5")
    const { home, fake, run } = begun
    const elsewhere = join(home.path, "elsewhere")
    mkdirSync(elsewhere)
    const ended = await home.start(["resume", run], fake.env, { cwd: elsewhere }).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(outcomeOf(ended).delivered).toBe(items)
    expect(ended.stderr).toContain(`--env staging in ${home.path}`)
    expect(fake.stats().byStatus[401]).toBeUndefined()
  })

  it("[SEC-1] control: another --env, given to the resume, is heeded", async () => {
    await using begun = await begin("5")
    const { home, start, run } = begun
    writeFileSync(join(home.path, "accounts.other.json"), JSON.stringify({ desk: { keyEnv: "NO_SUCH_KEY" } }))
    const ended = await start(["resume", run, "--env", "other"]).ended
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain("NO_SUCH_KEY")
  })

  it("[SEC-1] goes on with them after `approve` and after `reject`", async () => {
    await using begun = await begin("0.002")
    const { start, fake, run, ended } = begun
    expect(ended.code, ended.stderr).toBe(4)
    const approved = await start(["approve", `${run}.1`, "--add-usd", "0.0004"]).ended
    expect(approved.code, approved.stderr).toBe(4)
    const rejected = await start(["reject", `${run}.2`]).ended
    expect(rejected.code, rejected.stderr).toBe(3)
    expect(outcomeOf(rejected).held).toBeGreaterThan(0)
    expect(fake.stats().byStatus[401]).toBeUndefined()
  })
})
