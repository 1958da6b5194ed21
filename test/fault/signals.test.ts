import { randomUUID } from "node:crypto"
import { cpSync, existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { compareRuns, type FinishedRun } from "../support/compare-runs.ts"
import { lastJson, linesOf, onlyRun, openFiles, runFiles, runRuntime, startRuntime, tempFolder, until, type Ended } from "../support/run-command.ts"
import { leftUnder, processesWith } from "../support/state-tree.ts"

const items = 1_000
const job = join(import.meta.dirname, "jobs/slow-job.ts")
const runArgs = ["run", job, "--date", "2026-03-01", "--json"]
const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const input = folder.write("items.jsonl", Array.from({ length: items }, (_, n) => `${JSON.stringify({ id: `item-${n}`, n })}\n`).join(""))

const homeOf = (name: string, key: string | null) => {
  const home = join(folder.path, name)
  const state = join(home, "state")
  mkdirSync(state, { recursive: true })
  if (key !== null) cpSync(key, join(state, "state.key"))
  const log = join(home, "calls.log")
  const mark = randomUUID()
  const start = (args: ReadonlyArray<string>, slow: string) =>
    startRuntime([...args, "--state", state], { cwd: home, env: { FAULT_INPUT: input, FAULT_LOG: log, FAULT_MARK: mark, FAULT_SLOW: slow } })
  return { state, log, mark, start }
}

let reference: FinishedRun & { readonly key: string }
beforeAll(async () => {
  const { state, start } = homeOf("reference", null)
  const ended = await start(runArgs, "").ended
  expect(ended.code, ended.stderr).toBe(0)
  reference = { state, run: String(lastJson(ended)["run"]), key: join(state, "state.key") }
})

type Home = ReturnType<typeof homeOf>
const count = (log: string, word: string): number => linesOf(log).filter((line) => line.startsWith(`${word} `)).length
/** The newest time in a log's lines of one word. */
const lastAt = (log: string, word: string): number => Math.max(0, ...linesOf(log).flatMap((line) => (line.startsWith(`${word} `) ? [Number(line.split(" ")[2])] : [])))

/** What a stopped run must be, whoever stopped it. */
const expectStopped = async (home: Home, ended: Ended, status: string): Promise<void> => {
  const run = onlyRun(home.state)
  expect({ code: ended.code, signal: ended.signal }, ended.stderr).toEqual({ code: 130, signal: null })
  expect(ended.stderr).not.toMatch(/^\s+at /m)
  expect(leftUnder(home.state)).toEqual([])
  expect(processesWith("FAULT_MARK", home.mark)).toEqual([])
  using files = await openFiles(runFiles(home.state, run), "read_write")
  expect(await files.rows("select status, failure, ended_at is not null as has_end from state.run")).toEqual([{ status, failure: null, has_end: true }])
  expect(await files.rows("select ended_at is not null as has_end from state.sessions")).toEqual([{ has_end: true }])
}

/** `resume` goes on, and comes to what a run comes to that nobody stopped. */
const expectResumable = async (home: Home): Promise<void> => {
  const run = onlyRun(home.state)
  const told = lastJson(await runRuntime(["status", run, "--json", "--state", home.state]))
  expect(told["holder"]).toBeNull()
  const ended = await home.start(["resume", run, "--json"], "").ended
  expect(ended.code, ended.stderr).toBe(0)
  expect(lastJson(ended)).toMatchObject({ run, status: "done", manifest: items, delivered: items })
  expect(await compareRuns(reference, { state: home.state, run })).toEqual({})
}

const stops: ReadonlyArray<readonly [name: string, signals: ReadonlyArray<NodeJS.Signals>]> = [
  ["Ctrl-C", ["SIGINT"]],
  ["Ctrl-C twice", ["SIGINT", "SIGINT"]],
  ["SIGTERM", ["SIGTERM"]]
]

describe("a run that is told to stop", { timeout: 120_000 }, () => {
  it.each(stops)("[CRD-3] [case 62] by %s makes no further call, leaves nothing behind, exits 130 and can go on", async (name, signals) => {
    const home = homeOf(name, reference.key)
    const command = home.start(runArgs, "work")
    await until(() => count(home.log, "call") >= 100)
    const at = Date.now()
    for (const signal of signals) command.kill(signal)
    const ended = await command.ended
    expect(lastAt(home.log, "call") - at).toBeLessThan(1_000)
    expect(count(home.log, "call")).toBeLessThan(items)
    await expectStopped(home, ended, "interrupted")
    await expectResumable(home)
  })

  it("[CRD-3] [case 62] by `runtime cancel` is cancelled, and says so", async () => {
    const home = homeOf("cancel", reference.key)
    const command = home.start(runArgs, "crawl")
    await until(() => count(home.log, "call") >= 50)
    const run = onlyRun(home.state)
    const cancel = startRuntime(["cancel", run, "--json", "--state", home.state])
    await until(() => existsSync(join(home.state, "runs", run, "cancel")))
    const at = Date.now()
    const [cancelled, ended] = await Promise.all([cancel.ended, command.ended])
    expect(cancelled.code, cancelled.stderr).toBe(0)
    expect(lastJson(cancelled)).toMatchObject({ run, status: "cancelled", manifest: items })
    expect(lastAt(home.log, "call") - at).toBeLessThan(1_000)
    expect(count(home.log, "call")).toBeLessThan(items)
    await expectStopped(home, ended, "cancelled")
    const again = await runRuntime(["cancel", run, "--state", home.state])
    expect(again.code).toBe(2)
    expect(again.stderr).toContain("isn't running")
    await expectResumable(home)
  })

  it.each(["manifest", "closing"])("[CRD-3] in its %s stops there, and a resume comes to the same end", async (phase) => {
    const home = homeOf(phase, reference.key)
    const command = home.start(runArgs, phase)
    await until(() => count(home.log, phase === "manifest" ? "row" : "report") >= (phase === "manifest" ? 50 : 1))
    command.kill("SIGINT")
    await expectStopped(home, await command.ended, "interrupted")
    expect(count(home.log, "call")).toBe(phase === "manifest" ? 0 : items)
    await expectResumable(home)
    expect(count(home.log, "call")).toBe(items)
  })

  it("[CRD-3] doesn't wait for a model call that never comes back", async () => {
    const home = homeOf("stuck", reference.key)
    const command = home.start(runArgs, "stuck")
    await until(() => count(home.log, "call") >= 300)
    command.kill("SIGTERM")
    await expectStopped(home, await command.ended, "interrupted")
    await expectResumable(home)
  })

  it("[CRD-3] interrupts the fibers of its calls: each one that began was answered or told to stop", async () => {
    const home = homeOf("effect", reference.key)
    const command = home.start(runArgs, "effect")
    await until(() => count(home.log, "call") >= 100)
    command.kill("SIGINT")
    await expectStopped(home, await command.ended, "interrupted")
    expect(count(home.log, "stopped")).toBeGreaterThan(0)
    expect(count(home.log, "stopped") + count(home.log, "answered")).toBe(count(home.log, "call"))
  })

  it("[CRD-3] control: left alone, the same run makes every call", async () => {
    const home = homeOf("control", reference.key)
    const ended = await home.start(runArgs, "work").ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(count(home.log, "call")).toBe(items)
    expect(await compareRuns(reference, { state: home.state, run: onlyRun(home.state) })).toEqual({})
    expect(leftUnder(home.state)).toEqual([])
  })
})
