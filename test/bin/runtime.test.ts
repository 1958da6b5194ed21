import { spawn, spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { repo } from "../support/tree.ts"

const folder = mkdtempSync(join(tmpdir(), "nightshift-bin-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** A command that prints what it was given, and does as its first argument says. */
const commandText = (types: boolean) => `
import { resolve } from "node:path"
import { mark } from "../dsl/index.${types ? "ts" : "js"}"
const [verb, value]${types ? ": Array<string>" : ""} = process.argv.slice(2)
if (verb === "exit") process.exit(Number(value))
if (verb === "die") process.kill(process.pid, value)
if (verb === "load") console.log((await import(resolve(value))).default === mark, Number(process.versions.node.split(".")[0]) >= 22)
if (verb === "wait") {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => console.log(signal))
  process.on("SIGHUP", () => process.exit(7))
  console.log("waiting")
  setInterval(() => {}, 1000)
}
`
const dslText = "export const mark = Symbol()\n"
const jobText = 'import { mark } from "nightshift"\nconst job: symbol = mark\nexport default job\n'

beforeAll(() => {
  const settings = '{ "type": "module" }'
  for (const home of ["checkout", "team/node_modules/nightshift", "bare/node_modules/nightshift"]) {
    write(`${home}/package.json`, settings)
    cpSync(join(repo, "bin"), join(folder, home, "bin"), { recursive: true })
    write(`${home}/dist/dsl/index.js`, dslText)
    write(`${home}/dist/runtime/main.js`, commandText(false))
  }
  write("checkout/dsl/index.ts", dslText)
  write("checkout/runtime/main.ts", commandText(true))
  write("checkout/dist/runtime/main.js", 'throw new Error("a stale build was started")')
  mkdirSync(join(folder, "checkout/node_modules"))
  for (const home of ["checkout", "team", "bare"]) write(`${home}/job.ts`, jobText)
  for (const home of ["checkout", "team"]) symlinkSync(join(repo, "node_modules/node"), join(folder, home, "node_modules/node"))
})

const nodes = [process.execPath, ...(process.env["PATH"] ?? "").split(delimiter).map((path) => join(path, "node"))]
const isOld = (node: string) => {
  const [major = 0, minor = 0] = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.split(".").map(Number)
  return major < 22 || (major === 22 && minor < 19)
}
const oldNode = nodes.find((node) => existsSync(node) && isOld(node))

const launcher = (home: string) =>
  join(folder, home, existsSync(join(folder, home, "bin")) ? "bin" : "node_modules/nightshift/bin", "runtime.js")
const launch = (node: string, home: string, ...args: ReadonlyArray<string>) => {
  const { status, signal, stdout, stderr } = spawnSync(node, [launcher(home), ...args], { cwd: join(folder, home), encoding: "utf8" })
  return { status, signal, stdout, stderr }
}

const versions = [
  { name: "a good Node", node: process.execPath },
  ...(oldNode === undefined ? [] : [{ name: "an old Node", node: oldNode }])
]

describe.each(versions)("the launcher on $name", ({ node }) => {
  it.each(["checkout", "team"])("gives a job the command's own nightshift in a %s, without a word on stderr", (home) => {
    expect(launch(node, home, "load", "job.ts")).toEqual({ status: 0, signal: null, stdout: "true true\n", stderr: "" })
  })

  it("ends as the command ends: its exit code, its signal", () => {
    expect(launch(node, "team", "exit", "3")).toMatchObject({ status: 3, signal: null })
    expect(launch(node, "team", "die", "SIGKILL")).toMatchObject({ status: null, signal: "SIGKILL" })
  })

  it("hands each signal on, once", async () => {
    const child = spawn(node, [launcher("team"), "wait"], { cwd: join(folder, "team"), stdio: ["ignore", "pipe", "inherit"] })
    const next = { waiting: "SIGINT", SIGINT: "SIGTERM", SIGTERM: "SIGHUP" } as Record<string, NodeJS.Signals>
    const lines: Array<string> = []
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.trimEnd().split("\n")) {
        lines.push(line)
        const signal = next[line]
        if (signal !== undefined) child.kill(signal)
      }
    })
    const code = await new Promise((resolve) => child.on("close", resolve))
    expect(lines).toEqual(["waiting", "SIGINT", "SIGTERM", "SIGHUP"])
    expect(code).toBe(7)
  })
})

describe.skipIf(oldNode === undefined)("the launcher on an old Node that has no newer one at hand", () => {
  it("says which Node it found, which it needs and what to type, and exits 2", () => {
    const { status, stdout, stderr } = launch(oldNode ?? "", "bare", "exit", "0")
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" })
    expect(stderr).toMatch(
      /^nightshift needs Node 22\.19 or newer and this is Node \d+\.\d+\.\d+: type `npm i -D node@24` here and try again\.\n$/
    )
  })
})
