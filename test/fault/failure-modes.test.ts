/** Failure modes of the pattern (sections 10 and 13) that no other file causes: what is seen, and that it ends as if nothing had happened. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { askJob } from "../support/ask-run.ts"
import { compareRuns } from "../support/compare-runs.ts"
import { keyOf, makeHome, type FaultHome } from "../support/fault-home.ts"
import { mailTexts, openPaidHome, outcomeOf } from "../support/paid-home.ts"
import { timedResume } from "../support/recovery-time.ts"
import { useReference } from "../support/reference-run.ts"
import { lastJson, onlyRun, openFiles, runFiles, until } from "../support/run-command.ts"

const killJob = ["run", join(import.meta.dirname, "jobs/kill-job.ts"), "--date", "2026-03-01"]
const items = 400

const rows = Array.from({ length: items }, (_, n) => ({ id: `item-${n}`, kind: ["letter", "form", "note"][n % 3], text: `Text ${n}`, n }))
const reference = useReference({ runArgs: killJob, rows, exitCode: 3 })
const { folder, input, homeOf } = reference

/** Stops the command once `calls` more were made. */
const killedAfter = async (
  home: FaultHome,
  args: ReadonlyArray<string>,
  calls: number,
  signal: NodeJS.Signals = "SIGKILL"
): Promise<string> => {
  const before = home.noted("call").length
  const command = home.start(args)
  await until(() => home.noted("call").length >= before + calls)
  command.kill(signal)
  await command.ended
  return onlyRun(home.state)
}
const expectAsUndisturbed = async (home: FaultHome): Promise<void> =>
  expect(await compareRuns(reference.run(), { state: home.state, run: onlyRun(home.state) })).toEqual({})

const copyFiles = (files: ReadonlyArray<string>, to: string): (() => void) => {
  mkdirSync(to, { recursive: true })
  const kept = files.flatMap((file) => [file, `${file}.wal`]).filter((file) => existsSync(file))
  kept.forEach((file, index) => copyFileSync(file, join(to, String(index))))
  return () => {
    for (const file of files.flatMap((each) => [each, `${each}.wal`])) rmSync(file, { force: true })
    kept.forEach((file, index) => copyFileSync(join(to, String(index)), file))
  }
}

describe("[OPS-5] [OPS-6] a failure mode of the pattern", { timeout: 180_000 }, () => {
  it("[OPS-5] manifest build fails: the input can't be read, nothing is asked and no half manifest is left; read again, all of it is done", async () => {
    const home = makeHome(join(folder.path, "unreadable"), { input: join(folder.path, "late.jsonl"), key: keyOf(reference.run()) })
    const failed = await home.start(killJob).ended
    expect(failed.code, failed.stderr).toBe(1)
    expect(failed.stderr).toMatch(/late\.jsonl does not exist/)
    expect(home.noted("call")).toEqual([])
    // Storage that comes back, and breaks in the middle: a directory in the file's place can be opened, and not be read.
    mkdirSync(join(folder.path, "late.jsonl"))
    const again = await home.start(["resume", onlyRun(home.state)]).ended
    expect(again.code, again.stderr).toBe(1)
    expect(again.stderr).toMatch(/is a directory/)
    rmSync(join(folder.path, "late.jsonl"), { recursive: true })
    copyFileSync(input, join(folder.path, "late.jsonl"))
    const { ended } = await timedResume("manifest build fails", home.state, () => home.start(["resume", onlyRun(home.state)]))
    expect(ended.code, ended.stderr).toBe(3)
    expect(lastJson(ended)).toMatchObject({ rowsRead: items, manifest: items })
  })

  it("[OPS-6] worker fleet failure, work queue failure: killed with its queue, which is rebuilt from the manifest; nothing durable is asked again", async () => {
    const home = homeOf("fleet")
    const run = await killedAfter(home, killJob, 200)
    expect(lastJson(await home.start(["status", run]).ended)).toMatchObject({ status: "crashed", holder: null })
    const { ended } = await timedResume("worker fleet failure", home.state, () => home.start(["resume", run]))
    expect(ended.code, ended.stderr).toBe(3)
    await expectAsUndisturbed(home)
  })

  it("[OPS-6] machine restart: notes of processes that are gone or belong to others now mislead nobody", async () => {
    const home = homeOf("machine")
    const run = await killedAfter(home, killJob, 150)
    const root = join(home.state, "runs", run)
    // After a restart the holder's number may be anyone's, and what was in flight is of another time.
    writeFileSync(
      join(root, "holder.json"),
      JSON.stringify({ pid: process.pid, startedAt: new Date().toISOString(), command: "runtime run" })
    )
    const flights = readFileSync(join(root, "in-flight"))
    flights.write('"machine":"0000000', flights.indexOf('"machine":"'))
    writeFileSync(join(root, "in-flight"), flights)
    const { ended } = await timedResume("machine restart", home.state, () => home.start(["resume", run]))
    expect(ended.code, ended.stderr).toBe(3)
    expect(ended.stderr).not.toContain("runs alone")
    await expectAsUndisturbed(home)
  })

  it("[OPS-6] checkpoint store failure: said by resume and doctor; what was published is readable; a backup goes on from where it was", async () => {
    const home = homeOf("store")
    // One that stops in order publishes all it has.
    const run = await killedAfter(home, killJob, 150, "SIGINT")
    const files = runFiles(home.state, run)
    const restore = copyFiles([files.state, files.payload], join(home.path, "backup"))
    await killedAfter(home, ["resume", run], 100)
    for (const file of [files.state, `${files.state}.wal`]) rmSync(file, { force: true })

    const refused = await home.start(["resume", run]).ended
    expect([1, 2]).toContain(refused.code)
    expect(refused.stderr).toMatch(/state\.duckdb/)
    const doctor = await home.start(["doctor"]).ended
    expect(doctor.code).toBe(1)
    const { findings } = lastJson(doctor) as {
      readonly findings: ReadonlyArray<{
        readonly level: string
        readonly subject: string
        readonly text: string
        readonly remedy: string | null
      }>
    }
    const told = findings.filter(({ level, subject, text }) => level === "fail" && `${subject} ${text}`.includes(run))
    expect(told.map(({ remedy }) => remedy)).toEqual([expect.stringMatching(/backup/)])
    const published = await home.start(["sql", "select count(*) >= 100 as has_most from checkpoints"]).ended
    expect(published.stdout, published.stderr).toContain('"has_most":true')

    restore()
    const { ended } = await timedResume("checkpoint store failure", home.state, () => home.start(["resume", run]))
    expect(ended.code, ended.stderr).toBe(3)
    expect(await compareRuns(reference.run(), { state: home.state, run })).toEqual({})
  })

  it("[OPS-6] checkpoint store failure: with a backup of the state file alone, older than the payload, uncertain items are asked again and none comes twice", async () => {
    const home = homeOf("older")
    const run = await killedAfter(home, killJob, 150)
    const { state } = runFiles(home.state, run)
    const restore = copyFiles([state], join(home.path, "backup"))
    await killedAfter(home, ["resume", run], 100)
    restore()
    const { ended } = await timedResume("checkpoint store failure, older backup", home.state, () => home.start(["resume", run]))
    expect(ended.code, ended.stderr).toBe(3)
    expect(lastJson(ended)).toMatchObject({ status: "done", manifest: items })
    using files = await openFiles(runFiles(home.state, run))
    expect(await files.rows("select count(*) - count(distinct (seq, step, attempt)) as twice from payload.answers")).toEqual([{ twice: 0 }])
    await expectAsUndisturbed(home)
  })

  it("[OPS-5] systematic bad output: above 5 % the run waits for a person before it asks again; mended, all of it is delivered", async () => {
    await using paid = await openPaidHome(mailTexts(120), { faults: { rates: { "bad-json": 0.5 } } })
    const first = await paid.start(["run", askJob]).ended
    expect(first.code, first.stderr).toBe(4)
    expect(first.stderr).toMatch(/% of the items/)
    expect(paid.fake.stats().calls).toBe(120)
    paid.fake.faults({ rates: { "bad-json": 0 } })
    const approved = await paid.start(["approve", outcomeOf(first).gate ?? "", "--note", "their model was rolled back"]).ended
    expect(approved.code, approved.stderr).toBe(0)
    expect(outcomeOf(approved)).toMatchObject({ delivered: 120, dead: 0 })
  })

  it("[OPS-6] provider outage, prolonged: the run pauses and tells; killed meanwhile and resumed it pauses again; when it is over it goes on by itself", async () => {
    await using paid = await openPaidHome(mailTexts(60), { faults: { outage: { on: true, mode: "503" } } })
    const first = paid.start(["run", askJob])
    await until(() => first.stderr().includes("pauses"))
    first.kill("SIGKILL")
    await first.ended
    const second = paid.start(["resume", onlyRun(paid.home.state)])
    await until(() => second.stderr().includes("pauses"))
    const asked = paid.fake.stats().calls
    paid.fake.faults({ outage: { on: false } })
    const { ended } = await timedResume("provider outage", paid.home.state, () => second)
    expect(ended.code, ended.stderr).toBe(0)
    expect(ended.stderr).toContain("is answering again")
    expect(outcomeOf(ended)).toMatchObject({ delivered: 60, dead: 0 })
    // A provider that is down is not asked for every item.
    expect(asked).toBeLessThan(60)
    expect(paid.fake.stats().paidCalls).toBe(60)
  })
})
