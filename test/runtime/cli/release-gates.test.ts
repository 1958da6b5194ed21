/** What stands between a run whose work is done and whoever reads its outputs, through the real command. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { makeHome } from "../../support/fault-home.ts"
import { lastJson, onlyRun, runNames, tempFolder, type Ended } from "../../support/run-command.ts"

/** One of ten is a dead letter. */
const items = 20
const delivered = 18

const jobText = (options: string): string => `
import { Schema } from "effect"
import { deadLetter, infer, job, jsonl, local, partition, usd, user, validate } from "nightshift"
const items = jsonl(process.env.FAULT_INPUT, { schema: Schema.Struct({ id: Schema.String, n: Schema.Finite }), key: (item) => item.id })
const model = local("counter", ({ data }) => ({ label: String(data) }), { version: "1" })
const labels = infer(partition(items), { model, output: Schema.Struct({ label: Schema.String }), prompt: ({ n }) => [user\`\${n}\`] })
const checked = validate(labels, { fine: { pass: ({ item }) => item.n % 10 !== 7, orElse: deadLetter } })
export default job("gated", { owner: "test", purpose: "Wait", classification: "public", budget: usd(1), ${options} steps: { items, labels, checked } })
`

const open = (options: string) => {
  const folder = tempFolder()
  const rows = Array.from({ length: items }, (_, n) => `${JSON.stringify({ id: `item-${n}`, n })}\n`).join("")
  const home = makeHome(folder.path, { input: folder.write("items.jsonl", rows) })
  const job = join(folder.path, "job.ts")
  writeFileSync(job, jobText(options))
  const start = (...args: ReadonlyArray<string>): Promise<Ended> => home.start(args).ended
  const released = async (run: string): Promise<unknown> => {
    const { stdout } = await start("sql", `select count(*) as n from outputs where run = '${run}'`)
    return JSON.parse(stdout)[0].n
  }
  return { home, job, start, released, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

const errorOf = (ended: Ended): string => (lastJson(ended)["error"] as { readonly message: string }).message
const listOf = ({ stdout }: Ended) => JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as ReadonlyArray<Record<string, unknown>>

describe("a run whose work is done", { timeout: 120_000 }, () => {
  it("[VAL-5] [GOV-4] is released only after its rate and its sample were agreed to, one gate after the other", async () => {
    using home = open("passRateMin: 0.95, release: { sample: 3 },")
    const { start, released } = home
    const waits = await start("run", home.job)
    expect(waits.code, waits.stderr).toBe(4)
    const run = onlyRun(home.home.state)
    expect(lastJson(waits)).toMatchObject({ run, status: "waiting", gate: `${run}.1`, delivered, dead: 2 })
    expect(waits.stderr).toContain("2 of 20 items are dead letters: 90 % passed, and 95 % should.")
    const money = await start("approve", `${run}.1`, "--add-usd", "5")
    expect(money.code).toBe(2)
    expect(errorOf(money)).toContain("is a quality gate: it asks for no money")

    const agreed = await start("approve", `${run}.1`, "--by", "ann", "--note", "known to be so")
    expect(agreed.code, agreed.stderr).toBe(4)
    expect(lastJson(agreed)).toMatchObject({ gate: `${run}.2`, status: "waiting" })
    expect(await released(run)).toBe(0)
    const early = await start("approve", `${run}.2`)
    expect(early.code).toBe(2)
    expect(errorOf(early)).toContain("of the 3 items of its sample, 3 are undecided. Nothing was changed.")

    const sample = listOf(await start("sample", "list", `${run}.2`))
    expect(sample).toHaveLength(3)
    const [shown] = listOf(await start("sample", "show", `${run}.2`, String(sample[0]?.["key"])))
    const { n } = (shown?.["item"] ?? {}) as { readonly n: number }
    expect(shown).toMatchObject({ position: 1, outputs: [{ step: "checked", output: { label: String(n) } }] })
    const accepted = await start("sample", "accept", `${run}.2`, "1", "2", "3", "--by", "bob")
    expect(listOf(accepted).map(({ decision, decidedBy }) => [decision, decidedBy])).toEqual(sample.map(() => ["accepted", "bob"]))
    const done = await start("approve", `${run}.2`)
    expect(done.code, done.stderr).toBe(3)
    expect(await released(run)).toBe(delivered)
    expect(listOf(await start("gates"))).toMatchObject([
      { kind: "quality", decision: "approved", decidedBy: "ann", note: "known to be so" },
      { kind: "release", decision: "approved", note: null }
    ])
  })

  it("[VAL-5] is never released once a person said no, or nobody said anything in time; a trial asks nobody", async () => {
    using home = open(`passRateMin: 0.95, gateExpiry: process.env.LONG === "yes" ? "7 days" : "1 millis",`)
    const { start, released } = home
    expect((await start("run", home.job)).code).toBe(4)
    const run = onlyRun(home.home.state)
    const late = await start("approve", `${run}.1`)
    expect(late.code).toBe(2)
    expect(errorOf(late)).toMatch(
      new RegExp(`^Gate ${run}.1 was not decided by .+ UTC, which counts as rejected. Nothing was changed; .runtime resume`)
    )
    const closed = await start("resume", run)
    expect(closed.code, closed.stderr).toBe(3)
    expect(lastJson(closed)).toMatchObject({ status: "done", delivered, gate: null })
    expect(await released(run)).toBe(0)
    expect(lastJson(await start("report", run))).toMatchObject({ gates: [{ decision: "expired" }] })

    const trial = await start("run", home.job, "--limit", "10")
    expect(trial.code, trial.stderr).toBe(3)
    const long = { LONG: "yes" }
    expect((await home.home.start(["run", home.job], long).ended).code).toBe(4)
    const second = runNames(home.home.state).find((name) => name !== run && name !== lastJson(trial)["run"]) ?? ""
    const refused = await home.home.start(["reject", `${second}.1`], long).ended
    expect(refused.code, refused.stderr).toBe(3)
    expect(await released(second)).toBe(0)
  })
})
