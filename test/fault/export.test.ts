import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, expect, it } from "vitest"

import { makeHome } from "../support/fault-home.ts"
import { lastJson, linesOf, onlyRun, tempFolder } from "../support/run-command.ts"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const job = `
import { appendFileSync } from "node:fs"
import { Schema } from "effect"
import { infer, job, jsonl, local, partition, toCsv, toJsonl, usd, user } from "nightshift"
const items = jsonl(process.env.FAULT_INPUT, { schema: Schema.Struct({ id: Schema.String, text: Schema.String }), key: (item) => item.id })
const model = local("counter", ({ data }) => {
  appendFileSync(process.env.FAULT_LOG, "call 1\\n")
  return { length: String(data[0]).length, sure: 0.25 + 0.5 * (String(data[0]).length % 2) }
})
const lengths = infer(partition(items), {
  model,
  output: Schema.Struct({ length: Schema.Finite, sure: Schema.Finite }),
  prompt: (item) => [user\`\${item.text}\`],
  confidence: ({ sure }) => sure,
  confidenceMin: 0.5
})
export default job("exporting", {
  owner: "test", purpose: "Export", classification: "public", consumers: ["crm"], budget: usd(1), steps: { items, lengths },
  release: { exports: [toCsv(({ date }) => "out/" + date), toJsonl(({ date }) => "out/" + date)] }
})
`

it("[VAL-4] [SLA-3] a folder that can't be written fails the run after its work is done; once it can be, a resume exports, asks nothing again, and what review accepts is a further revision", async () => {
  const count = 10
  const input = folder.write(
    "items.jsonl",
    Array.from({ length: count }, (_, n) => `${JSON.stringify({ id: `item-${n}`, text: "x".repeat(n) })}\n`).join("")
  )
  const home = makeHome(join(folder.path, "home"), { input })
  const module = folder.write("home/job.ts", job)
  const blocked = join(home.path, "out")
  writeFileSync(blocked, "a file where the folder should be")
  const first = await home.start(["run", module, "--date", "2026-03-01"]).ended
  const run = onlyRun(home.state)
  expect(first.code, first.stderr).toBe(1)
  expect(first.stderr).toContain(`Run ${run} is complete, and its export to ${join(blocked, "2026-03-01")} could not be written`)
  expect(first.stderr).toContain(`runtime resume ${run}`)
  rmSync(blocked)
  const last = await home.start(["resume", run]).ended
  expect(last.code, last.stderr).toBe(3)
  const place = join(blocked, "2026-03-01", run, "revision-1")
  expect(lastJson(last)).toMatchObject({
    delivered: 5,
    review: 5,
    exports: [join(place, "lengths.csv"), join(place, "lengths.jsonl")]
  })
  expect(readdirSync(place).toSorted()).toEqual(["_SUCCESS", "_manifest.json", "lengths.csv", "lengths.jsonl"])
  expect(linesOf(join(place, "lengths.jsonl")).map((line) => JSON.parse(line).sure)).toEqual(Array.from({ length: 5 }, () => 0.75))
  expect(JSON.parse(readFileSync(join(place, "_SUCCESS"), "utf8"))).toMatchObject({ partial: true, items: { delivered: 5, review: 5 } })
  expect(home.noted("call")).toHaveLength(count)

  // What a person accepts is delivered by a linked run: a further revision, of all rows, beside the first.
  const accepted = await home.start(["review", "accept", run, "--all"]).ended
  expect(accepted.code, accepted.stderr).toBe(0)
  const further = join(blocked, "2026-03-01", run, "revision-2")
  const rows = linesOf(join(further, "lengths.jsonl")).map((line) => JSON.parse(line))
  expect(rows.map(({ item_key: key }) => key).toSorted()).toEqual(Array.from({ length: count }, (_, n) => `item-${n}`))
  expect(Map.groupBy(rows, (row) => `${row.run === run} ${row.revision} ${row.by_run === run}`)).toEqual(
    new Map([
      ["true 1 true", expect.objectContaining({ length: 5 })],
      ["true 2 false", expect.objectContaining({ length: 5 })]
    ])
  )
  expect(JSON.parse(readFileSync(join(further, "_SUCCESS"), "utf8"))).toMatchObject({
    run,
    revision: 2,
    partial: false,
    items: { manifest: count, delivered: count, review: 0 }
  })
  expect(linesOf(join(place, "lengths.jsonl"))).toHaveLength(5)
  expect(home.noted("call")).toHaveLength(count)
})
