import { chmodSync, existsSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, describe, expect, it } from "vitest"

import { inspectDisk, inspectNode } from "../../../runtime/cli/doctor.ts"
import { lastJson, onlyRun, runRuntime, tempFolder } from "../../support/run-command.ts"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const doctor = (...args: ReadonlyArray<string>) => runRuntime(["doctor", ...args], { cwd: folder.path })

describe("runtime doctor", () => {
  it("before the first run it has nothing to complain of, and makes nothing", async () => {
    const { code, stdout } = await doctor()
    expect({ code, last: stdout.trimEnd().split("\n").at(-1) }).toEqual({ code: 0, last: "All is well." })
    expect(existsSync(join(folder.path, ".nightshift"))).toBe(false)
  })

  it("[OPS-7] after a run it finds everything in order, then each thing that is broken, with what to type; exit 1 only for what doesn't work", async () => {
    folder.write(
      "job.ts",
      `import * as Schema from "effect/Schema"
import { infer, job, jsonl, local, partition, usd, user } from "nightshift"
const Item = Schema.Struct({ id: Schema.String })
const items = jsonl("items.jsonl", { schema: Item, key: ({ id }) => id })
const echo = infer(partition(items), { model: local("echo", () => ({ id: "x" })), prompt: ({ id }) => [user\`\${id}\`], output: Item })
export default job("echo", { owner: "x", purpose: "y", classification: "internal", budget: usd(1), steps: { items, echo } })`
    )
    folder.write("items.jsonl", '{"id":"a"}\n')
    expect((await runRuntime(["run", "job.ts", "--json"], { cwd: folder.path })).code).toBe(0)
    const well = lastJson(await doctor("--json")) as { ok: boolean; findings: ReadonlyArray<{ subject: string; level: string }> }
    expect(well.ok).toBe(true)
    expect(well.findings.filter(({ level, subject }) => level !== "ok" && subject !== "disk")).toEqual([])
    expect(well.findings.map(({ subject }) => subject)).toEqual([
      "Node",
      "disk",
      "state.key",
      "permissions",
      "control.duckdb",
      "runs",
      "left-overs",
      "clock",
      "lineage.sql",
      "outputs.sql",
      "lineage.duckdb"
    ])

    const state = join(folder.path, ".nightshift")
    const run = join(state, "runs", onlyRun(state))
    writeFileSync(join(run, "staging.duckdb"), "")
    chmodSync(run, 0o755)
    utimesSync(join(run, "report.html"), new Date(), new Date("2099-01-01"))
    const warned = await doctor()
    expect(warned.code).toBe(0)
    expect(warned.stdout).toContain(`→ chmod 700 ${run}`)
    expect(warned.stdout).toContain(`1 files of processes that died: ${join(run, "staging.duckdb")}`)
    expect(warned.stdout).toContain(`1 files are from the future, ${join(run, "report.html")}`)

    writeFileSync(join(run, "state.duckdb"), "no database")
    chmodSync(join(state, "state.key"), 0o644)
    rmSync(join(state, "analytics/lineage.duckdb"))
    const broken = await doctor()
    expect(broken.code).toBe(1)
    expect(broken.stdout).toMatch(new RegExp(`^fail +${onlyRun(state)} +${join(run, "state.duckdb")} is damaged`, "m"))
    expect(broken.stdout).toContain(`→ chmod 600 ${join(state, "state.key")}`)
    expect(broken.stdout).toMatch(/^fail +lineage\.duckdb /m)
    expect(broken.stdout).toContain("3 failures")
  })

  it("a state folder whose key is gone fails, and no new key is made", async () => {
    const key = join(folder.path, ".nightshift/state.key")
    rmSync(key)
    const { code, stdout } = await doctor()
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining("restore state.key from a backup") })
    expect(existsSync(key)).toBe(false)
  })
})

describe("the machine", () => {
  it("Node 24 is preferred, 22.19 works, older fails", () => {
    expect(["26.1.0", "24.0.0", "23.6.0", "22.19.0", "22.18.9", "20.1.0"].map((version) => inspectNode(version).level)).toEqual([
      "ok",
      "ok",
      "warn",
      "warn",
      "fail",
      "fail"
    ])
  })

  it("a disk with less than 2 GB is a warning, with less than 200 MB a failure", () => {
    expect([3e9, 1e9, 1e8].map((free) => inspectDisk("/state", free).level)).toEqual(["ok", "warn", "fail"])
  })
})
