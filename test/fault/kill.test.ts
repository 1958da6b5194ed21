import { readdirSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { slotsPerWorker, workersOf } from "../../runtime/execute/capacity.ts"
import { uncommittedMax } from "../../runtime/store/group-commit.ts"
import { compareRuns, type FinishedRun } from "../support/compare-runs.ts"
import { keyOf, makeHome } from "../support/fault-home.ts"
import { killAndResume, killPointsOf, type LineCounts } from "../support/kill-run.ts"
import { lastJson, linesOf, tempFolder } from "../support/run-command.ts"
import { leftUnder } from "../support/state-tree.ts"

const seeds = Array.from({ length: Number(process.env["FAULT_SEEDS"] ?? 25) }, (_, index) => index + 1)
const atOnce = 2
const items = 1_200
/** Broken lines, and keys that come a second time. */
const rejected = 14

const job = join(import.meta.dirname, "jobs/kill-job.ts")
const runArgs = ["run", job, "--date", "2026-03-01"]
const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const inputText = (): string => {
  let text = ""
  for (let n = 0; n < items; n++) {
    const item = { id: `item-${n}`, kind: ["letter", "form", "note"][n % 3], text: `The text of item ${n}`, n }
    text += `${JSON.stringify(item)}\n`
    if (n % 200 === 3) text += "{ broken\n"
    if (n % 150 === 4) text += `${JSON.stringify({ ...item, text: "its twin" })}\n`
  }
  return text
}

const input = folder.write("items.jsonl", inputText())

interface Reference extends FinishedRun {
  readonly summary: Readonly<Record<string, unknown>>
  readonly exitCode: number | null
  readonly lines: LineCounts
  readonly calls: ReadonlySet<string>
}
let reference: Reference

beforeAll(async () => {
  const home = makeHome(join(folder.path, "reference"), { input })
  const ended = await home.start(runArgs).ended
  const summary = lastJson(ended)
  const lines = linesOf(home.log)
  const counts = {
    manifest: lines.filter((line) => line.startsWith("key")).length,
    work: lines.filter((line) => line.startsWith("call")).length
  }
  reference = {
    state: home.state,
    run: String(summary["run"]),
    summary,
    exitCode: ended.code,
    lines: { ...counts, closing: lines.length - counts.manifest - counts.work },
    calls: new Set(callsIn(lines))
  }
})

const callsIn = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.flatMap((line) => (line.startsWith("call ") ? [line.slice(5)] : []))
const itemOf = (call: string): string => call.split(" ")[1] ?? ""

const twiceMax = workersOf(null) * slotsPerWorker + uncommittedMax

/** What two runs of one input have in common. */
const totalsOf = (summary: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    "status rowsRead rejected manifest delivered dead review held skipped flagged spentUsd".split(" ").map((name) => [name, summary[name]])
  )

let running = 0
const waiting: Array<() => void> = []
/** At most two seeds at a time: each is a process that computes. */
const inTurn = async <A>(work: () => Promise<A>): Promise<A> => {
  if (running >= atOnce) await new Promise<void>((resume) => waiting.push(resume))
  running++
  try {
    return await work()
  } finally {
    running--
    waiting.shift()?.()
  }
}

describe.concurrent("a run killed with SIGKILL and resumed", { timeout: seeds.length * 60_000 }, () => {
  it("[PAR-1] every row of the input is in the reference's manifest or among its rejections", () => {
    expect(reference.exitCode).toBe(3)
    expect(reference.summary).toMatchObject({ rowsRead: items + rejected, rejected, manifest: items })
    const ends = ["delivered", "dead", "review", "held", "skipped"].map((name) => Number(reference.summary[name]))
    expect(ends.reduce((sum, count) => sum + count, 0)).toBe(items)
    for (const count of [0, 1, 2, 4].map((index) => ends[index])) expect(count).toBeGreaterThan(0)
  })

  it.each(seeds)(
    "[OPS-5] [CHK-2] [CRD-3] [PAR-1] [PAR-5] mass interruption, seed %i: equals an uninterrupted run, and nothing durable is asked again",
    (seed) =>
      inTurn(async () => {
        const home = makeHome(join(folder.path, `seed-${seed}`), { input, key: keyOf(reference) })
        const { state, log } = home
        const { run, last, kills } = await killAndResume({ home, runArgs, points: killPointsOf(seed, reference.lines) })
        const told = `seed ${seed}, killed at ${JSON.stringify(kills.map(({ point }) => point))}\n${last.stderr}`
        expect(last.code, told).toBe(reference.exitCode)
        expect(totalsOf(lastJson(last)), told).toEqual(totalsOf(reference.summary))
        expect(await compareRuns(reference, { state, run }), told).toEqual({})

        const lines = linesOf(log)
        const calls = callsIn(lines)
        expect(new Set(calls), told).toEqual(reference.calls)
        const seen = new Set<string>()
        const twice = calls.filter((call) => seen.size === seen.add(call).size)
        expect(new Set(twice.map(itemOf)).size, told).toBeLessThanOrEqual(kills.length * twiceMax)
        for (const { durable, lines: before } of kills) {
          expect(durable.finished, told).toBeGreaterThanOrEqual(durable.promised)
          const again = callsIn(lines.slice(before)).filter((call) => durable.calls.has(call))
          expect(again, told).toEqual([])
        }
        expect(readdirSync(join(state, "runs", run)).toSorted(), told).toEqual(["payload.duckdb", "report.html", "state.duckdb"])
        // A run that was killed before it had begun stays what it was: another one was started.
        const left = leftUnder(state).filter((file) => !file.startsWith("runs/") || file.startsWith(`runs/${run}/`))
        expect(left, told).toEqual([])
      })
  )
})
