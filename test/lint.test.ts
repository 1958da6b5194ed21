import { describe, expect, it } from "vitest"
import { findLostEffects, lint } from "./support/lint.ts"

/** An expression that asks the machine what a test must be able to hold still, and the rule that refuses it. */
const impure: ReadonlyArray<readonly [string, string]> = [
  ["Date.now()", "eslint(no-restricted-properties)"],
  ["performance.now()", "eslint(no-restricted-properties)"],
  ["Math.random()", "eslint(no-restricted-properties)"],
  ["setTimeout(() => 1, 5)", "eslint(no-restricted-globals)"],
  ["setInterval(() => 1, 5)", "eslint(no-restricted-globals)"],
  ["new Date()", "nightshift(clock)"]
]
const value = (expression: string) => `export const a = () => ${expression}\n`
const inEach = (name: string, text: string) =>
  Object.fromEntries(["runtime/guard", "dsl", "jobs"].map((folder) => [`${folder}/${name}.ts`, text]))

const wildcards = "export type A<T> = T extends Map<any, infer V> ? V : T extends (...args: any) => infer V ? V : never\n"
const constants = (count: number) => Array.from({ length: count }, (_, n) => `export const a${n} = ${n}\n`).join("")
const calls = (count: number) => `export const a = (f: () => void) => {\n${"  f()\n".repeat(count)}}\n`

const said = lint({
  ...Object.assign({}, ...impure.map(([expression], index) => inEach(`impure${index}`, value(expression)))),
  ...inEach("pure", value("new Date(5)")),
  ...inEach("wildcard", wildcards),
  "dsl/any.ts": "export const a = (b: any) => b\n",
  "jobs/lines70.ts": calls(68),
  "jobs/lines71.ts": calls(69),
  "jobs/lines400.ts": constants(400),
  "jobs/lines401.ts": constants(401)
})

describe("the house rules", () => {
  it.each(impure.map((row, index) => [...row, index] as const))("%s is refused in runtime/ and dsl/ only", (_expression, rule, index) => {
    expect(said.get(`runtime/guard/impure${index}.ts`)).toEqual([expect.stringContaining(rule)])
    expect(said.get(`dsl/impure${index}.ts`)).toEqual([expect.stringContaining(rule)])
    expect(said.get(`jobs/impure${index}.ts`)).toEqual([])
  })

  it("a date made of a number is free everywhere", () => {
    for (const folder of ["runtime/guard", "dsl", "jobs"]) expect(said.get(`${folder}/pure.ts`)).toEqual([])
  })

  it("any is refused, but for the wildcards of the DSL's generic types", () => {
    expect(said.get("runtime/guard/wildcard.ts")).toHaveLength(2)
    expect(said.get("dsl/wildcard.ts")).toEqual([])
    expect(said.get("dsl/any.ts")).toEqual([expect.stringContaining("nightshift(wildcard)")])
  })

  it("a function has at most 70 lines and a file 400", () => {
    expect(said.get("jobs/lines70.ts")).toEqual([])
    expect(said.get("jobs/lines71.ts")).toEqual([expect.stringContaining("max-lines-per-function")])
    expect(said.get("jobs/lines400.ts")).toEqual([])
    expect(said.get("jobs/lines401.ts")).toEqual([expect.stringContaining("max-lines")])
  })
})

describe("lost Effects", () => {
  const text = `import * as Effect from "effect/Effect"\nexport const a = Effect.log("kept")\n`

  it("an Effect that nobody yields fails the check of types", () => {
    const { stdout, status } = findLostEffects({ "runtime/guard/log.ts": `${text}Effect.log("lost")\n` })
    expect(stdout).toContain("runtime/guard/log.ts(3,1): error effect(floatingEffect)")
    expect(status).toBe(1)
  })

  it("one that is kept passes, and the file was looked at", () => {
    const { stdout, status } = findLostEffects({ "runtime/guard/log.ts": text })
    expect(stdout).toContain("Checked 1 files out of 1 files.")
    expect(status).toBe(0)
  })
})
