/** A base URL that leads nowhere: said at once, with what to type, and no item is given up on for it. */
import { createServer } from "node:net"
import { once } from "node:events"

import { describe, expect, it } from "vitest"

import { mailTexts, openPaidHome, outcomeOf, paidJob } from "../support/paid-home.ts"
import { onlyRun, until } from "../support/run-command.ts"

const items = 30

/** A port of this machine where nobody listens. */
const deadPort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("It listens on no port")
  server.close()
  await once(server, "close")
  return address.port
}

describe("a wrong address", { timeout: 60_000 }, () => {
  it("[EXE-7] where nothing listens is told of at the first failure: URL, error, what to type; mended, a resume goes on", async () => {
    await using paid = await openPaidHome(mailTexts(items))
    const { home, start } = paid
    const url = `http://127.0.0.1:${await deadPort()}/v1`
    const command = start(["run", paidJob], { OPENAI_BASE_URL: url })
    await until(() => command.stderr().includes("can't reach"))
    command.kill("SIGINT")
    const ended = await command.ended
    expect(ended.code).toBe(130)
    const run = onlyRun(home.state)
    for (const said of [url, "ECONNREFUSED", "OPENAI_BASE_URL", `runtime resume ${run}`]) expect(ended.stderr).toContain(said)
    expect(ended.stderr.match(/can't reach/g)).toHaveLength(1)
    const resumed = await start(["resume", run]).ended
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(outcomeOf(resumed)).toMatchObject({ delivered: items, dead: 0 })
  })

  it("[EXE-7] of a host that isn't there is told of too", async () => {
    await using paid = await openPaidHome(mailTexts(items))
    const command = paid.start(["run", paidJob], { PAID_MODEL: "compatible", PAID_SERVER: "http://no-such-host.invalid/v1" })
    await until(() => command.stderr().includes("can't reach"))
    command.kill("SIGINT")
    expect((await command.ended).stderr).toContain("http://no-such-host.invalid/v1")
  })

  for (const model of ["responses", "anthropic", "compatible"]) {
    it(`[EXE-7] whose path is not found (${model}) stops the run, and gives up on no item`, async () => {
      await using paid = await openPaidHome(mailTexts(items))
      const { fake, home, start } = paid
      const url = `${fake.url}/nowhere`
      const wrong = { PAID_MODEL: model, BOX_API_KEY: "any", OPENAI_BASE_URL: url, ANTHROPIC_BASE_URL: url, PAID_SERVER: url }
      const ended = await start(["run", paidJob], wrong).ended
      expect(ended.code, ended.stderr).toBe(1)
      for (const said of [url, "404", `${items} items are open`]) expect(ended.stderr).toContain(said)
      // The address of a server of one's own stands in the job, and so in its plan.
      const accept = model === "compatible" ? ["--accept-plan"] : []
      const resumed = await start(["resume", onlyRun(home.state), ...accept], { PAID_MODEL: model, BOX_API_KEY: "any" }).ended
      expect(resumed.code, resumed.stderr).toBe(0)
      expect(outcomeOf(resumed)).toMatchObject({ delivered: items, dead: 0 })
    })
  }

  it("[EXE-7] of a batch's account is told of at the first failure", async () => {
    await using paid = await openPaidHome(mailTexts(items))
    const url = `http://127.0.0.1:${await deadPort()}/v1`
    const command = paid.start(["run", paidJob], { OPENAI_BASE_URL: url, PAID_TIER: "batch" })
    await until(() => command.stderr().includes("can't get its batches through"))
    command.kill("SIGINT")
    const ended = await command.ended
    expect(ended.stderr).toContain(url)
    expect(ended.stderr).toContain("ECONNREFUSED")
  })
})
