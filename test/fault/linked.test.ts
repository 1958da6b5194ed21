import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { lastJson, linesOf, onlyRun, runNames, runRuntime, startRuntime, tempFolder, until } from "../support/run-command.ts"
import { repo } from "../support/tree.ts"

const items = 60

/** Its model takes 20 ms an item, notes each call, and answers right only once it is mended. */
const slowJob = (log: string, input: string): string => `
import { appendFileSync } from "node:fs"
import { Schema } from "effect"
import { infer, job, jsonl, local, partition, usd, user } from "nightshift"
const slow = local("slow", async ({ data }) => {
  appendFileSync(${JSON.stringify(log)}, String(data[0]) + "\\n")
  if (process.env["MENDED"] === undefined) return { word: 5 }
  await new Promise((resume) => setTimeout(resume, 20))
  return { word: "fine" }
})
const rows = jsonl(${JSON.stringify(input)}, { schema: Schema.Struct({ id: Schema.String }), key: ({ id }) => id })
const words = infer(partition(rows, { itemsMax: 10 }), { model: slow, prompt: ({ id }) => [user\`\${id}\`], output: Schema.Struct({ word: Schema.String }), retriesMax: 0 })
export default job("slow-replay", { owner: "tests", purpose: "Be killed", classification: "internal", budget: usd(1), steps: { rows, words } })
`

describe("a replay that is killed with kill -9", () => {
  it("[RTY-4] [CHK-2] goes on with `runtime resume` from its own checkpoints, and all that was dead is delivered", async () => {
    using folder = tempFolder()
    const state = join(folder.path, "state")
    const log = join(folder.path, "calls.log")
    const input = folder.write("rows.jsonl", Array.from({ length: items }, (_, index) => `{"id":"k${index}"}\n`).join(""))
    const module = folder.write("job.ts", slowJob(log, input))
    const options = { cwd: repo, env: { MENDED: "yes" } }

    expect((await runRuntime(["run", module, "--state", state])).code).toBe(3)
    const origin = onlyRun(state)
    expect((await runRuntime(["dlq", "annotate", origin, "--cause", "mended", "--state", state])).code).toBe(0)
    const before = linesOf(log).length
    const replay = startRuntime(["dlq", "replay", origin, "--state", state], options)
    await until(() => linesOf(log).length > before + 10)
    replay.kill("SIGKILL")
    await replay.ended

    const linked = runNames(state).find((name) => name !== origin) ?? ""
    // Its items are its own: nothing else takes them up meanwhile.
    const again = await runRuntime(["dlq", "replay", origin, "--cause", "mended", "--state", state], options)
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("Nothing was changed")])
    const resumed = await runRuntime(["resume", linked, "--state", state, "--json"], options)
    expect(lastJson(resumed)).toMatchObject({ status: "done", manifest: items, delivered: items })
    const now = await runRuntime([
      "sql",
      `select delivered_now, dead_now, holds_now, revision from completeness where run = '${origin}'`,
      "--state",
      state,
      "--json"
    ])
    expect(JSON.parse(now.stdout)).toEqual([{ delivered_now: items, dead_now: 0, holds_now: true, revision: 2 }])
  }, 120_000)
})
