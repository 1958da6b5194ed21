import { existsSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { compareRuns } from "../support/compare-runs.ts"
import type { FaultHome } from "../support/fault-home.ts"
import { lastJson, onlyRun, openFiles, runFiles, until, type Ended } from "../support/run-command.ts"
import { useReference } from "../support/reference-run.ts"
import { leftUnder, processesWith } from "../support/state-tree.ts"

const items = 1_000
const job = join(import.meta.dirname, "jobs/slow-job.ts")
const runArgs = ["run", job, "--date", "2026-03-01"]

const rows = Array.from({ length: items }, (_, n) => ({ id: `item-${n}`, n }))
const reference = useReference({ runArgs, rows, exitCode: 0 })
const { homeOf } = reference
const count = (home: FaultHome, word: string): number => home.noted(word).length
/** When the last call began, in ms. */
const lastCall = (home: FaultHome): number => Math.max(0, ...home.noted("call").map((line) => Number(line.split(" ")[2])))

/** What a stopped run must be, whoever stopped it. */
const expectStopped = async (home: FaultHome, ended: Ended, status: string): Promise<void> => {
  const run = onlyRun(home.state)
  expect({ code: ended.code, signal: ended.signal }, ended.stderr).toEqual({ code: 130, signal: null })
  expect(ended.stderr).not.toMatch(/^\s+at /m)
  expect(leftUnder(home.state)).toEqual([])
  expect(processesWith("FAULT_MARK", home.mark)).toEqual([])
  using files = await openFiles(runFiles(home.state, run), "read_write")
  expect(await files.rows("select status, failure, ended_at is not null as has_end from state.run")).toEqual([
    { status, failure: null, has_end: true }
  ])
  expect(await files.rows("select ended_at is not null as has_end from state.sessions")).toEqual([{ has_end: true }])
}

/** `resume` goes on, and comes to what a run comes to that nobody stopped. */
const expectResumable = async (home: FaultHome): Promise<void> => {
  const run = onlyRun(home.state)
  const ended = await home.start(["resume", run]).ended
  expect(ended.code, ended.stderr).toBe(0)
  expect(lastJson(ended)).toMatchObject({ run, status: "done", manifest: items, delivered: items })
  expect(await compareRuns(reference.run(), { state: home.state, run })).toEqual({})
}

const stops: ReadonlyArray<readonly [name: string, signals: ReadonlyArray<NodeJS.Signals>]> = [
  ["Ctrl-C", ["SIGINT"]],
  ["Ctrl-C twice", ["SIGINT", "SIGINT"]],
  ["SIGTERM", ["SIGTERM"]]
]

describe("a run that is told to stop", { timeout: 120_000 }, () => {
  it.each(stops)("[CRD-3] [case 62] by %s makes no further call, leaves nothing behind, exits 130 and can go on", async (name, signals) => {
    const home = homeOf(name)
    const command = home.start(runArgs, { FAULT_SLOW: "work" })
    await until(() => count(home, "call") >= 100)
    const at = Date.now()
    for (const signal of signals) command.kill(signal)
    const ended = await command.ended
    expect(lastCall(home) - at).toBeLessThan(1_000)
    expect(count(home, "call")).toBeLessThan(items)
    await expectStopped(home, ended, "interrupted")
    await expectResumable(home)
  })

  it("[CRD-3] [case 62] by `runtime cancel` is cancelled, and says so", async () => {
    const home = homeOf("cancel")
    const command = home.start(runArgs, { FAULT_SLOW: "crawl" })
    await until(() => count(home, "call") >= 50)
    const run = onlyRun(home.state)
    const cancel = home.start(["cancel", run])
    await until(() => existsSync(join(home.state, "runs", run, "cancel")))
    const at = Date.now()
    const [cancelled, ended] = await Promise.all([cancel.ended, command.ended])
    expect(cancelled.code, cancelled.stderr).toBe(0)
    expect(lastJson(cancelled)).toMatchObject({ run, status: "cancelled", manifest: items })
    expect(lastCall(home) - at).toBeLessThan(1_000)
    expect(count(home, "call")).toBeLessThan(items)
    await expectStopped(home, ended, "cancelled")
    const again = await home.start(["cancel", run]).ended
    expect(again.code).toBe(2)
    expect(again.stderr).toContain("isn't running")
    expect(lastJson(await home.start(["status", run]).ended)).toMatchObject({ status: "cancelled", holder: null })
    expect(JSON.parse((await home.start(["runs"]).ended).stdout)).toMatchObject([{ run, status: "cancelled" }])
    await expectResumable(home)
  })

  it.each(["manifest", "closing"])("[CRD-3] in its %s stops there, and a resume comes to the same end", async (phase) => {
    const home = homeOf(phase)
    const command = home.start(runArgs, { FAULT_SLOW: phase })
    await until(() => count(home, phase === "manifest" ? "row" : "report") >= (phase === "manifest" ? 50 : 1))
    command.kill("SIGINT")
    await expectStopped(home, await command.ended, "interrupted")
    expect(count(home, "call")).toBe(phase === "manifest" ? 0 : items)
    await expectResumable(home)
    expect(count(home, "call")).toBe(items)
  })

  it("[CRD-3] doesn't wait for a model call that never comes back", async () => {
    const home = homeOf("stuck")
    const command = home.start(runArgs, { FAULT_SLOW: "stuck" })
    await until(() => count(home, "call") >= 300)
    command.kill("SIGTERM")
    await expectStopped(home, await command.ended, "interrupted")
    await expectResumable(home)
  })

  it("[CRD-3] interrupts the fibers of its calls: each one that began was answered or told to stop", async () => {
    const home = homeOf("effect")
    const command = home.start(runArgs, { FAULT_SLOW: "effect" })
    await until(() => count(home, "call") >= 100)
    command.kill("SIGINT")
    await expectStopped(home, await command.ended, "interrupted")
    expect(count(home, "stopped")).toBeGreaterThan(0)
    expect(count(home, "stopped") + count(home, "answered")).toBe(count(home, "call"))
  })

  it("[CRD-3] control: left alone, the same run makes every call", async () => {
    const home = homeOf("control")
    const ended = await home.start(runArgs, { FAULT_SLOW: "work" }).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(count(home, "call")).toBe(items)
    expect(await compareRuns(reference.run(), { state: home.state, run: onlyRun(home.state) })).toEqual({})
    expect(leftUnder(home.state)).toEqual([])
  })
})
