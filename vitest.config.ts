import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: {
    // Jobs and examples import the package by its name: in this checkout that is the source, never a build.
    alias: [{ find: /^nightshift$/, replacement: fileURLToPath(new URL("dsl/index.ts", import.meta.url)) }]
  },
  test: {
    include: ["test/**/*.test.ts"],
    // Tests kill processes, change folders and open DuckDB's native addon: none of it is safe between threads.
    pool: "forks",
    // Most of the long ones wait for commands that they started: one at a time would leave a second core idle.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
