import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"

import { beforeAll, describe, expect, it } from "vitest"

import { compareRuns, type FinishedRun } from "../support/compare-runs.ts"
import type { FaultHome } from "../support/fault-home.ts"
import { useReference } from "../support/reference-run.ts"
import { lastJson, onlyRun, openFiles, runFiles, until, type Ended } from "../support/run-command.ts"

const job = join(import.meta.dirname, "jobs/poison-job.ts")
const runArgs = ["run", job, "--date", "2026-03-01"]
const items = 120
const rows = Array.from({ length: items }, (_, n) => ({ id: `item-${n}`, n }))
const reference = useReference({ runArgs, rows, exitCode: 3 })
const { homeOf } = reference
beforeAll(() => expect(reference.summary()).toMatchObject({ manifest: items, delivered: items - 1, dead: 1 }))

/** Runs, and resumes until a session ends as a session should; all of them. */
const untilDone = async (home: FaultHome, env: Readonly<Record<string, string>>): Promise<ReadonlyArray<Ended>> => {
  const sessions: Array<Ended> = []
  do {
    const args = sessions.length === 0 ? runArgs : ["resume", onlyRun(home.state)]
    sessions.push(await home.start(args, env).ended)
  } while (sessions.at(-1)?.code !== 3 && sessions.length < 6)
  return sessions
}

const deadLettersOf = async (home: FaultHome) => {
  using files = await openFiles(runFiles(home.state, onlyRun(home.state)))
  return await files.rows(
    "select item_key as key, step, code, rule from state.dead_letters join payload.items using (seq) order by item_key"
  )
}
/** What every item but the poisonous one came to. */
const othersOf = async ({ state, run }: FinishedRun) => {
  using files = await openFiles(runFiles(state, run))
  return await files.rows(`select item_key, c.step, status, disposition, output from state.checkpoints c join payload.items i using (seq)
    left join payload.answers a on a.seq = c.seq and a.step = c.step where item_key <> 'item-7' order by item_key, c.step, a.attempt`)
}
const own = { key: "item-9", step: "checked", code: "rule", rule: "first" }
const timesOf = (home: FaultHome, place: string): number => home.noted("poison").filter((line) => line === `poison ${place}`).length

/** All but the poisonous item came to what they come to without it, and nothing of the trouble is left. */
const expectTheRest = async (home: FaultHome): Promise<void> => {
  const run = onlyRun(home.state)
  expect(await othersOf({ state: home.state, run })).toEqual(await othersOf(reference.run()))
  expect(readdirSync(join(home.state, "runs", run)).toSorted()).toEqual(["payload.duckdb", "report.html", "state.duckdb"])
}

describe("job code that never comes back", { timeout: 180_000 }, () => {
  it.each([
    [
      "rule",
      { step: "checked", rule: "second" },
      /rule "second" of step checked held the process for 1 s at item \d+ of the manifest \(.*poison-job\.ts:\d+\)/
    ],
    ["prompt", { step: "labels", rule: null }, /prompt of step labels held the process/],
    ["model", { step: "second", rule: null }, /model quick of step second held the process/]
  ])(
    "[OPS-5] hung job code: a %s in an endless loop: the process is ended and says which, at which item; the resume dead-letters that item and goes on",
    async (at, where, says) => {
      const home = homeOf(`hang-${at}`)
      const [first, second] = await untilDone(home, { FAULT_POISON: "hang", FAULT_AT: at })
      expect(first?.code, first?.stderr).toBe(1)
      expect(first?.stderr).toMatch(says)
      expect(first?.stderr).toContain(`runtime resume ${onlyRun(home.state)}`)
      expect(first?.stderr).not.toContain("debugger")
      expect(lastJson(first as Ended)).toMatchObject({ error: { tag: "CallbackHung" } })
      expect(second?.code, second?.stderr).toBe(3)
      expect(timesOf(home, at)).toBe(1)
      expect(await deadLettersOf(home)).toEqual([{ key: "item-7", ...where, code: "hung" }, own])
      await expectTheRest(home)
    }
  )

  it("[OPS-5] hung job code: a rule that blocks its thread in a wait is ended alike", async () => {
    const home = homeOf("wait")
    const [first, second] = await untilDone(home, { FAULT_POISON: "wait" })
    expect(first?.stderr).toMatch(/rule "second" of step checked held the process/)
    expect(second?.code, second?.stderr).toBe(3)
    expect(await deadLettersOf(home)).toEqual([{ key: "item-7", step: "checked", code: "hung", rule: "second" }, own])
  })

  it.each(["never"])(
    "[OPS-5] hung job code: a rule that waits for ever (%s) is interrupted, and its item dead-lettered in the same process",
    async (poison) => {
      const home = homeOf(poison)
      const sessions = await untilDone(home, { FAULT_POISON: poison })
      expect(sessions.map(({ code }) => code)).toEqual([3])
      expect(await deadLettersOf(home)).toEqual([{ key: "item-7", step: "checked", code: "hung", rule: "second" }, own])
      await expectTheRest(home)
    }
  )

  it("[OPS-5] hung job code: a key in an endless loop ends the process before anything is paid, and says what to do", async () => {
    const home = homeOf("hang-key")
    const ended = await home.start(runArgs, { FAULT_POISON: "hang", FAULT_AT: "key" }).ended
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/key of step items held the process for 1 s.*Mend it, then `runtime resume/)
    expect(home.noted("call")).toEqual([])
  })

  it("[OPS-5] control: a run that is stopped and woken again in the middle of its work is not taken for one that hangs", async () => {
    const home = homeOf("stopped")
    const command = home.start(runArgs)
    await until(() => home.noted("call").length >= 20)
    command.kill("SIGSTOP")
    await new Promise((resume) => setTimeout(resume, 2_500))
    command.kill("SIGCONT")
    const ended = await command.ended
    expect(ended.code, ended.stderr).toBe(3)
    expect(await compareRuns(reference.run(), { state: home.state, run: onlyRun(home.state) })).toEqual({})
  })
})

describe("job code that ends the process", { timeout: 180_000 }, () => {
  it("[OPS-5] job code that ends the process: by process.exit in a rule: says which, exits 1 whatever it was told, and the resume dead-letters that item", async () => {
    const home = homeOf("exit")
    const [first, second] = await untilDone(home, { FAULT_POISON: "exit" })
    expect(first?.code).toBe(1)
    expect(first?.stderr).toMatch(/rule "second" of step checked ended the process .* at item \d+ of the manifest/)
    expect(second?.code, second?.stderr).toBe(3)
    expect(timesOf(home, "rule")).toBe(1)
    expect(await deadLettersOf(home)).toEqual([{ key: "item-7", step: "checked", code: "crashed", rule: "second" }, own])
    await expectTheRest(home)
  })

  it.each(["abort", "hangLater"])(
    "[OPS-5] job code that ends the process: without a word (%s): after two such ends the items that were in it run alone, and the third tells which it was",
    async (poison) => {
      const home = homeOf(poison)
      const sessions = await untilDone(home, { FAULT_POISON: poison, ...(poison === "hangLater" ? { FAULT_AT: "answer" } : {}) })
      const code = poison === "abort" ? "crashed" : "hung"
      expect(sessions.map(({ code: exit }) => exit === 3)).toEqual([false, false, false, true])
      expect(sessions[2]?.stderr).toMatch(/ended twice while (one item was|\d+ items were) in the job's code/)
      expect(sessions[3]?.stderr).not.toMatch(/ended twice/)
      expect(await deadLettersOf(home)).toEqual([{ key: "item-7", step: "labels_when", code, rule: null }, own])
      await expectTheRest(home)
    }
  )

  it("[OPS-5] control: a run killed from outside, twice, loses no item to that", async () => {
    const home = homeOf("killed")
    for (const args of [runArgs, null]) {
      const command = home.start(args ?? ["resume", onlyRun(home.state)])
      const before = home.noted("call").length
      await until(() => home.noted("call").length >= before + 20)
      command.kill("SIGKILL")
      await command.ended
      expect(existsSync(join(home.state, "runs", onlyRun(home.state), "in-flight"))).toBe(true)
    }
    const ended = await home.start(["resume", onlyRun(home.state)]).ended
    expect(ended.code, ended.stderr).toBe(3)
    expect(await compareRuns(reference.run(), { state: home.state, run: onlyRun(home.state) })).toEqual({})
  })
})
