import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, describe, expect, it } from "vitest"

import { jobText } from "../../../runtime/cli/first-job.ts"
import { lastJson, runRuntime, tempFolder } from "../../support/run-command.ts"
import { checkSnippets } from "../../support/snippet.ts"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const runtime = (...args: ReadonlyArray<string>) => runRuntime(args, { cwd: folder.path })

describe("runtime init", () => {
  it("[CRD-1] in an empty folder, what it writes compiles, plans and runs offline: one row is rejected, one item waits for a person", async () => {
    const { code, stdout } = await runtime("init")
    expect(code).toBe(0)
    expect(readdirSync(folder.path).toSorted()).toEqual(["inbox", "jobs", "node_modules", "package.json", "tsconfig.json"])
    expect(stdout.trimEnd().split("\n").slice(-3)).toEqual(["Next:", "  runtime plan jobs/first-job.ts", "  runtime run jobs/first-job.ts"])
    const planned = lastJson(await runtime("plan", "jobs/first-job.ts", "--json"))
    expect(planned).toMatchObject({ input: { items: 11, rejected: 1 }, priceUsd: 0, warnings: [] })
    const ran = await runtime("run", "jobs/first-job.ts", "--json")
    expect(ran.code).toBe(3)
    expect(lastJson(ran)).toMatchObject({
      status: "done",
      rowsRead: 12,
      rejected: 1,
      manifest: 11,
      delivered: 10,
      review: 1,
      dead: 0,
      held: 0,
      skipped: 0
    })
  })

  it("never overwrites a file, says which it left alone, and writes the rest", async () => {
    const mine = "// mine\n"
    writeFileSync(join(folder.path, "jobs/first-job.ts"), mine)
    rmSync(join(folder.path, "inbox"), { recursive: true })
    expect(lastJson(await runtime("init", "--json"))).toMatchObject({
      written: ["inbox/tickets.jsonl"],
      leftAlone: ["jobs/first-job.ts", "package.json", "tsconfig.json"]
    })
    expect(readFileSync(join(folder.path, "jobs/first-job.ts"), "utf8")).toBe(mine)
    expect((await runtime("init")).stdout).toContain("Nothing was written")
  })

  it("in a folder of its own it says where to go; package.json names this nightshift and its effect", async () => {
    const { stdout } = await runtime("init", "Team Jobs/2026")
    expect(stdout).toContain("  cd Team Jobs/2026\n  runtime plan jobs/first-job.ts\n")
    expect(JSON.parse(readFileSync(join(folder.path, "Team Jobs/2026/package.json"), "utf8"))).toEqual({
      name: "2026",
      private: true,
      type: "module",
      dependencies: { effect: expect.stringMatching(/^4\.\d+\.\d+$/), nightshift: expect.stringMatching(/^\d+\.\d+\.\d+$/) }
    })
  })

  it("says what is missing where effect isn't installed, and where a package.json makes jobs something else than modules", async () => {
    const bare = mkdtempSync(join(tmpdir(), "nightshift-init-"))
    try {
      mkdirSync(join(bare, "app"))
      writeFileSync(join(bare, "app/package.json"), "{}")
      const { code, stdout } = await runRuntime(["init", "app"], { cwd: bare })
      expect(code).toBe(0)
      expect(stdout).toContain('needs "type": "module"')
      expect(stdout).toMatch(/isn't installed here yet: npm i effect@4\.\d+\.\d+ nightshift@\d/)
    } finally {
      rmSync(bare, { recursive: true })
    }
  })

  it("a folder that can't be made is misuse", async () => {
    folder.write("file", "")
    expect(await runtime("init", "file")).toMatchObject({ code: 2, stderr: expect.stringContaining("can't be written") })
  })

  it("[CRD-1] the job it writes passes the compiler's strictest settings", () => {
    expect(checkSnippets(new Map([["first-job.ts", jobText]]))).toBe("")
  })
})
