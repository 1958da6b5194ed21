import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { inTree, runTool } from "../support/tree.ts"

const here = import.meta.dirname
const expectation = /^\/\/ @ts-expect-error (.+)$/

/** One mistake: why it is one, the line that makes it, and what the compiler must say. */
interface Mistake {
  readonly why: string
  readonly line: number
  readonly code: string
  readonly says: string
}

const negative = readFileSync(join(here, "negative.ts"), "utf8").split("\n")
const mistakes = negative.flatMap((text, index): ReadonlyArray<Mistake> => {
  const why = expectation.exec(text)?.[1]
  const [code = "", says = ""] = (negative[index + 1] ?? "").split(" // says: ")
  return why === undefined ? [] : [{ why, line: index + 2, code, says }]
})

/** Both kinds of file as they are, and in `bare/` the mistakes without the comments that forgive them: one run of the compiler. */
const report = compile({
  ...Object.fromEntries(
    readdirSync(here)
      .filter((name) => !name.endsWith(".test.ts"))
      .map((name) => [`types/${name}`, readFileSync(join(here, name), "utf8")])
  ),
  "bare/models.ts": readFileSync(join(here, "models.ts"), "utf8"),
  "bare/negative.ts": negative.map((text) => (expectation.test(text) ? "" : text)).join("\n"),
  "bare/claim.ts": "const same = <A, B>(_: A extends B ? true : false): void => {}\nsame<string, number>(true)\n"
})

/** What the compiler says of each line, `file:line` → text, under the repo's own settings. */
function compile(files: Record<string, string>): ReadonlyMap<string, string> {
  const settings = { extends: "./tsconfig.json", compilerOptions: { noUnusedLocals: false }, include: ["types", "bare"] }
  const { stdout } = inTree({ files: { ...files, "tsconfig.types.json": JSON.stringify(settings) }, links: ["dsl"] }, (folder) =>
    runTool(folder, "tsc", "--pretty", "false", "-p", "tsconfig.types.json")
  )
  const said = new Map<string, string>()
  let at = ""
  for (const text of stdout.split("\n")) {
    const [, file, line, message] = /^(\S+?)\((\d+),\d+\): error TS\d+: (.*)$/.exec(text) ?? []
    if (file !== undefined) at = `${file}:${line}`
    said.set(at, `${said.get(at) ?? ""}${message ?? text}\n`)
  }
  return said
}

describe("a job file", () => {
  it("[CRD-1] compiles when every callback fits, and its types are the ones that were promised", () => {
    expect([...report].filter(([at]) => at.startsWith("types/"))).toEqual([])
  })

  it("a control: a wrong claim about a type is reported", () => {
    expect(report.get("bare/claim.ts:2")).toContain("Argument of type 'true' is not assignable to parameter of type 'false'")
  })

  it.each(mistakes)("[CRD-1] does not compile: $why", ({ line, says }) => {
    expect(says).not.toBe("")
    expect(report.get(`bare/negative.ts:${line}`) ?? "the compiler says nothing").toContain(says)
  })

  it("no line of the mistakes is wrong without meaning to", () => {
    const meant = new Set(mistakes.map(({ line }) => `bare/negative.ts:${line}`))
    expect([...report.keys()].filter((at) => at.startsWith("bare/negative.ts") && !meant.has(at))).toEqual([])
  })
})
