import { describe, expect, it } from "vitest"
import { lint } from "./support/lint.ts"

/** A folder's file, what it imports, and the linter's sentence. */
const wrong: ReadonlyArray<readonly [string, string, string]> = [
  ["runtime/execute", "../cli/main.ts", "runtime/execute may not import runtime/cli"],
  ["runtime/execute", "../schedule/due.ts", "runtime/execute may not import runtime/schedule"],
  ["runtime/execute/deep", "../../cli/main.ts", "runtime/execute may not import runtime/cli"],
  ["runtime/schedule", "../cli/deep/main.ts", "runtime/schedule may not import runtime/cli"],
  ["runtime/store", "../execute/run.ts", "runtime/store may not import runtime/execute"],
  ["runtime/store", "../guard/budget.ts", "runtime/store may not import runtime/guard"],
  ["runtime/guard", "../main.ts", "runtime/guard may not import runtime"],
  ["runtime/cli", "../../test/support/model.ts", "runtime/cli may not import test"],
  ["dsl", "../runtime/main.ts", "dsl may not import runtime"],
  ["dsl", "node:fs", 'dsl may not import "node:fs": it is data, without a clock or I/O'],
  ["dsl", "kysely", 'dsl may not import "kysely": SQL belongs in runtime/store'],
  ["dsl", "effect", '"effect" is slow to load: import a module of it, such as "effect/…"'],
  ["runtime/cli", "@duckdb/node-api", 'runtime/cli may not import "@duckdb/node-api": SQL belongs in runtime/store'],
  ["runtime/source", "kysely", 'runtime/source may not import "kysely": SQL belongs in runtime/store'],
  ["runtime/cli", "nightshift", 'runtime/cli may not import "nightshift": import dsl/ by its path'],
  ["runtime/queue", "node:fs", "runtime/queue has no place among the arrows: give it one in .oxlint/arrows.js"],
  ["jobs", "../dsl/index.ts", 'jobs may not import dsl: import "nightshift" instead'],
  ["jobs", "../examples/models.ts", 'jobs may not import examples: import "nightshift" instead'],
  ["examples", "nightshift/dsl", 'examples may import "nightshift" only by its front door']
]

const right: ReadonlyArray<readonly [string, string]> = [
  ["runtime", "./cli/run.ts"],
  ["runtime/cli", "../schedule/due.ts"],
  ["runtime/cli", "../store/ledger.ts"],
  ["runtime/schedule", "../execute/run.ts"],
  ["runtime/execute", "../guard/budget.ts"],
  ["runtime/execute", "./settle.ts"],
  ["runtime/store", "../../dsl/index.ts"],
  ["runtime/store", "kysely"],
  ["runtime/store", "@duckdb/node-api"],
  ["runtime/source", "@duckdb/node-api"],
  ["runtime/store", "effect/Effect"],
  ["dsl", "effect/Schema"],
  ["dsl", "@noble/hashes/sha2.js"],
  ["jobs", "nightshift"],
  ["jobs", "./models.ts"],
  ["examples", "./mail/parse.ts"],
  ["examples", "effect"],
  ["examples", "postal-mime"],
  ["examples", "node:fs"],
  ["test/runtime/store", "../../../runtime/cli/run.ts"]
]

const wrongFile = (index: number) => `${wrong[index]?.[0]}/wrong${index}.ts`
const rightFile = (index: number) => `${right[index]?.[0]}/right${index}.ts`
const importing = (specifier: string) => `import { a } from "${specifier}"\nexport const b = a\n`

const shapes: Record<string, string> = {
  "runtime/store/type.ts": `import type { A } from "../cli/run.ts"\nexport const a = (b: A) => b\n`,
  "runtime/store/again.ts": `export { a } from "../cli/run.ts"\n`,
  "runtime/store/all.ts": `export * from "../cli/run.ts"\n`,
  "runtime/store/later.ts": `export const a = () => import("../cli/run.ts")\n`,
  "runtime/store/inline.ts": `export type A = import("../cli/run.ts").A\n`
}

const said = lint({
  ...Object.fromEntries(wrong.map(([, specifier], index) => [wrongFile(index), importing(specifier)])),
  ...Object.fromEntries(right.map(([, specifier], index) => [rightFile(index), importing(specifier)])),
  ...shapes,
  "dsl/query.ts": `import type { Kysely } from "kysely"\nexport type Query = Kysely<object>\n`,
  "dsl/one.ts": `import { two } from "./two.ts"\nexport const one = () => two\n`,
  "dsl/two.ts": `import { one } from "./one.ts"\nexport const two = () => one\n`
})

describe("the arrows of the tree", () => {
  it.each(wrong.map((row, index) => [...row, index] as const))("%s may not import %s", (_from, _specifier, sentence, index) => {
    expect(said.get(wrongFile(index))).toEqual([`nightshift(arrows): ${sentence}`])
  })

  it.each(right.map((row, index) => [...row, index] as const))("%s may import %s", (_from, _specifier, index) => {
    expect(said.get(rightFile(index))).toEqual([])
  })

  it.each(Object.keys(shapes))("a type, a re-export and a dynamic import are imports too: %s", (path) => {
    expect(said.get(path)).toEqual(["nightshift(arrows): runtime/store may not import runtime/cli"])
  })

  it("dsl/ may import the types of kysely, though not its values", () => {
    expect(said.get("dsl/query.ts")).toEqual([])
  })

  it("two files that import each other are refused", () => {
    expect(said.get("dsl/one.ts")).toEqual(["import(no-cycle): Dependency cycle detected"])
    expect(said.get("dsl/two.ts")).toEqual(["import(no-cycle): Dependency cycle detected"])
  })
})
