import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const repo = join(import.meta.dirname, "..")
const folder = mkdtempSync(join(tmpdir(), "nightshift-pack-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Under `npm test` npm's own variables would lead a nested npm back to this repo. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(config_local_prefix|lifecycle|package)|^INIT_CWD$/.test(name))
)

const type = (command: string, ...args: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8", env })
  return { status, stdout, stderr }
}

const readJson = (path: string) => JSON.parse(readFileSync(join(repo, path), "utf8"))

/** A team's folder that depends on the tarball, with the versions of this repo's lockfile: the npm cache has them all. */
const writeTeam = (tarball: string) => {
  const { version, dependencies, bin, engines } = readJson("package.json")
  const team = { name: "team", version: "1.0.0", type: "module", dependencies: { nightshift: `file:${tarball}` } }
  const locked = Object.entries<{ readonly dev?: boolean }>(readJson("package-lock.json").packages)
  const packages = {
    "": team,
    "node_modules/nightshift": { version, resolved: `file:${tarball}`, dependencies, bin, engines },
    ...Object.fromEntries(locked.filter(([path, { dev }]) => path !== "" && dev !== true))
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify(team))
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ name: "team", lockfileVersion: 3, requires: true, packages }))
}

const jobText = `
import { Schema } from "effect"
import { aggregate, count, infer, job, jsonl, local, partition, report, usd, user } from "nightshift"

const Word = Schema.Struct({ id: Schema.String, text: Schema.String })
const Length = Schema.Struct({ letters: Schema.Finite })
const measure = local("measure", ({ messages }) => ({ letters: String(messages[0]?.data[0]).length }))

const words = jsonl("words.jsonl", { schema: Word, key: (word) => word.id })
const split = partition(words, {})
const lengths = infer(split, { model: measure, prompt: (word) => [user\`\${word.text}\`], output: Length })
const total = aggregate(lengths, { words: count })
const summary = report(total, ({ words }) => \`\${words} words\`)

export default job("words", {
  owner: "team", purpose: "Measure words", classification: "public", budget: usd(0), steps: { words, split, lengths, total, summary }
})
`

beforeAll(() => {
  const packed = spawnSync("npm", ["pack", "--pack-destination", folder, "--loglevel=error"], { cwd: repo, encoding: "utf8", env })
  expect(packed.status, packed.stdout + packed.stderr).toBe(0)
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? ""
  writeTeam(tarball)
  const installed = type("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error")
  expect(installed.status, installed.stderr).toBe(0)
  writeFileSync(join(folder, "words.jsonl"), ["one", "three", "seven"].map((text) => `${JSON.stringify({ id: text, text })}\n`).join(""))
  writeFileSync(join(folder, "job.ts"), jobText)
}, 120_000)

describe("the package in another folder", () => {
  it("ships JavaScript and its types, and nothing else", () => {
    expect(readdirSync(join(folder, "node_modules/nightshift")).toSorted()).toEqual(expect.arrayContaining(["bin", "dist", "package.json"]))
    expect(readdirSync(join(folder, "node_modules/nightshift/dist")).toSorted()).toEqual(["dsl", "runtime"])
  })

  it("a job that imports it type-checks, and one that misuses it doesn't", () => {
    const tsc = () =>
      type(
        join(repo, "node_modules/.bin/tsc"),
        "--noEmit",
        "--strict",
        "--module",
        "nodenext",
        "--types",
        "node",
        "--skipLibCheck",
        "job.ts"
      )
    expect(tsc()).toEqual({ status: 0, stdout: "", stderr: "" })
    writeFileSync(join(folder, "job.ts"), jobText.replace("word.text}", "word.txet}"))
    const wrong = tsc()
    writeFileSync(join(folder, "job.ts"), jobText)
    expect(wrong.stdout).toContain("Property 'txet' does not exist")
  })

  it("npx runtime plan and run work there", () => {
    const plan = type("npx", "runtime", "plan", "job.ts")
    expect(plan.status, plan.stderr).toBe(0)
    expect(plan.stdout).toContain("lengths")
    const run = type("npx", "runtime", "run", "job.ts", "--json")
    expect(run.status, run.stderr).toBe(0)
    const summary: unknown = JSON.parse(run.stdout.trimEnd().split("\n").at(-1) ?? "")
    expect(summary).toMatchObject({ job: "words", manifest: 3, delivered: 3, dead: 0 })
  })
})
