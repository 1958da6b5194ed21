import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { lint } from "../support/lint.ts"
import { repo } from "../support/tree.ts"

const folder = join(repo, "dsl")
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"))
const textOf = (file: string): string => readFileSync(join(folder, file), "utf8")

/** Every module that a text imports or re-exports, as a value or a type, at once or later. */
const importsOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map(([, specifier = ""]) => specifier)
const isAllowed = (specifier: string): boolean =>
  /^(\.\/[a-z-]+\.ts|effect\/[A-Za-z]+|kysely|@noble\/hashes\/[a-z0-9]+\.js)$/.test(specifier)

/** Globals by which a module would learn the time, chance, or the machine it runs on. */
const impure =
  /\b(process|globalThis|Deno|Bun|fetch|performance|crypto|setTimeout|setInterval|setImmediate|queueMicrotask|console|require)\b\s*[.(]|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bEffect\.run/
const codeOf = (text: string): string => text.replaceAll(/\/\*[^]*?\*\/|\/\/.*|"(?:[^"\\\n]|\\.)*"/g, "")

describe("dsl/", () => {
  it("[CRD-2] imports itself, effect, the types of kysely and a hash, and neither Node nor the runtime", () => {
    expect(files.length).toBeGreaterThan(15)
    const foreign = files.flatMap((file) =>
      importsOf(textOf(file))
        .filter((specifier) => !isAllowed(specifier))
        .map((specifier) => `${file}: ${specifier}`)
    )
    expect(foreign).toEqual([])
    const kysely = files.flatMap((file) =>
      textOf(file)
        .split("\n")
        .filter((line) => line.includes('from "kysely"'))
    )
    expect(kysely.filter((line) => !line.startsWith("import type "))).toEqual([])
  })

  it("[CRD-2] asks no clock, no chance and no machine", () => {
    expect(files.flatMap((file) => impure.exec(codeOf(textOf(file)))?.[0] ?? [])).toEqual([])
  })

  it("a control: both scans see what they look for", () => {
    const text = 'import { a } from "node:fs"\nexport { b } from "../runtime/main.ts"\nconst c = () => import("effect")\nimport "./d"\n'
    expect(importsOf(text)).toEqual(["node:fs", "../runtime/main.ts", "effect", "./d"])
    expect(importsOf(text).filter(isAllowed)).toEqual([])
    for (const code of ["process.env", "fetch(x)", "Date.now()", "new Date()", "Math.random()", "Effect.runSync(x)"])
      expect(impure.test(codeOf(code))).toBe(true)
    for (const code of ["new Date(5)", '"process.env"', "// fetch(x)"]) expect(impure.test(codeOf(code))).toBe(false)
  })

  it("[CRD-2] passes the linter, which holds the same at every commit", () => {
    const said = lint(Object.fromEntries(files.map((file) => [`dsl/${file}`, textOf(file)])))
    expect([...said.values()].flat()).toEqual([])
  })
})
