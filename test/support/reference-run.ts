/** An undisturbed run, and homes with the same input and key for runs that are disturbed and must come to the same. */
import { join } from "node:path"

import { afterAll, beforeAll, expect } from "vitest"

import type { FinishedRun } from "./compare-runs.ts"
import { keyOf, makeHome, type FaultHome } from "./fault-home.ts"
import { lastJson, tempFolder } from "./run-command.ts"

interface ReferenceOptions {
  readonly runArgs: ReadonlyArray<string>
  /** Of the input. */
  readonly rows: ReadonlyArray<unknown>
  readonly exitCode: number
}

/** For one file of tests: the run is made before them, the folder goes after them. */
export const useReference = ({ runArgs, rows, exitCode }: ReferenceOptions) => {
  const folder = tempFolder()
  afterAll(() => folder[Symbol.dispose]())
  const input = folder.write("items.jsonl", rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  let finished: { readonly run: FinishedRun; readonly summary: ReturnType<typeof lastJson> } | undefined
  const known = () => {
    if (finished === undefined) throw new Error("The reference is there once the tests begin")
    return finished
  }
  beforeAll(async () => {
    const home = makeHome(join(folder.path, "reference"), { input })
    const ended = await home.start(runArgs).ended
    expect(ended.code, ended.stderr).toBe(exitCode)
    const summary = lastJson(ended)
    finished = { run: { state: home.state, run: String(summary["run"]) }, summary }
  })
  return {
    folder,
    input,
    /** What disturbed runs are held against. */
    run: () => known().run,
    /** What the command said of it, as JSON. */
    summary: () => known().summary,
    homeOf: (name: string): FaultHome => makeHome(join(folder.path, name), { input, key: keyOf(known().run) })
  }
}
