import { existsSync, readdirSync, readFileSync } from "node:fs"
import * as path from "node:path"

import { describe, expect, it } from "vitest"

const root = path.resolve(import.meta.dirname, "..")
const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly engines: { readonly node: string }
}

describe("the repo", () => {
  it("[CRD-8] has the top level that its card promises", () => {
    for (const entry of ["dsl", "runtime", "jobs", "examples", "test", "package.json", "tsconfig.json", "README.md"]) {
      expect(existsSync(path.join(root, entry)), entry).toBe(true)
    }
  })

  it("[CRD-7] is built from the packages that its card names, each pinned to one version", () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies }
    for (const name of [
      "effect",
      "@effect/platform-node",
      "@duckdb/node-api",
      "kysely",
      "openai",
      "@anthropic-ai/sdk",
      "cron-parser",
      "vitest"
    ]) {
      expect(all[name], name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
    }
    expect(manifest.dependencies["effect"]).toBe(manifest.dependencies["@effect/platform-node"])
    expect(manifest.engines.node).toBe(">=22.19")
  })

  it("tests mirror the tree: no test file tests a folder that isn't there", () => {
    const strays = readdirSync(path.join(root, "test/runtime")).filter((folder) => !existsSync(path.join(root, "runtime", folder)))
    expect(strays).toEqual([])
  })
})
