import { spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { checkSnippets, snippetsOf, verbsOf } from "./support/snippet.ts"
import { repo } from "./support/tree.ts"

const readme = () => readFileSync(join(repo, "README.md"), "utf8")

describe("README.md", () => {
  it("every TypeScript snippet compiles", () => {
    const snippets = snippetsOf(readme())
    expect(snippets.size).toBeGreaterThan(0)
    expect(checkSnippets(snippets)).toBe("")
  })

  it("every verb it names is one that `runtime --help` lists", () => {
    const { stdout } = spawnSync(process.execPath, [join(repo, "bin/runtime.js"), "--help"], { encoding: "utf8" })
    const missing = verbsOf(readme()).filter((verb) => !new RegExp(`^\\s+${verb}\\b`, "m").test(stdout))
    expect(missing).toEqual([])
  })
})

describe("the table of failures in README.md", () => {
  const modes = (/## When something breaks\n(.*?)\n## /s.exec(readme())?.[1] ?? "")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| failure "))
    .map((line) => line.split("|")[1]?.trim() ?? "")
  // A title begins with ids, then names its mode.
  const titles = globSync("test/**/*.test.ts", { cwd: repo }).flatMap((file) =>
    [...readFileSync(join(repo, file), "utf8").matchAll(/\[OPS-[56]\][^"`\n]*/g)].map(([title]) => title)
  )

  it.each(modes)("[OPS-5] [OPS-6] %s is caused by a test of that name", (mode) => {
    expect(titles.filter((title) => title.includes(`${mode}`)).length).toBeGreaterThan(0)
  })

  it("has the pattern's failure modes and disasters", () => expect(modes.length).toBeGreaterThanOrEqual(12))
})

describe("the check of snippets", () => {
  const fence = "```"
  const markdown = [
    "# A title",
    `${fence}ts`,
    "// models.ts",
    'import { local } from "nightshift"',
    'export const bayes = local("bayes", () => 1)',
    fence,
    "Then `runtime run job.ts`, not a runtime error:",
    `${fence}ts`,
    'import { bayes } from "./models.ts"',
    fence,
    `${fence}ts continued`,
    "export const name: string = bayes.name",
    fence,
    `${fence}sh`,
    "npx runtime plan job.ts",
    fence
  ].join("\n")

  it("right snippets pass, and see each other by file name", () => {
    expect([...snippetsOf(markdown).keys()]).toEqual(["models.ts", "line-8.ts"])
    expect(checkSnippets(snippetsOf(markdown))).toBe("")
  })

  it("a wrong one is reported with its line in the Markdown", () => {
    expect(checkSnippets(snippetsOf(markdown.replace("name: string", "name: number")))).toMatch(/^line-8\.ts\(12,14\): error TS2322/)
  })

  it("verbs are read from code alone", () => {
    expect(verbsOf(markdown)).toEqual(["run", "plan"])
  })
})
