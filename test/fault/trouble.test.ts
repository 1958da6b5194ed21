import { createHash } from "node:crypto"
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { beforeAll, describe, expect, it } from "vitest"

import { slotsPerWorker, workersOf } from "../../runtime/execute/capacity.ts"
import { uncommittedMax } from "../../runtime/store/group-commit.ts"
import { compareRuns } from "../support/compare-runs.ts"
import { makeHome, mountSmall, type FaultHome } from "../support/fault-home.ts"
import { lastJson, onlyRun, openFiles, runFiles, until, type Ended } from "../support/run-command.ts"
import { useReference } from "../support/reference-run.ts"
import { leftUnder } from "../support/state-tree.ts"

const slowJob = ["run", join(import.meta.dirname, "jobs/slow-job.ts"), "--date", "2026-03-01"]
const killJob = ["run", join(import.meta.dirname, "jobs/kill-job.ts"), "--date", "2026-03-01"]
const items = 1_000

const rows = Array.from({ length: items }, (_, n) => ({
  id: `item-${n}`,
  kind: ["letter", "form", "note"][n % 3],
  text: `The text of item ${n}`,
  n
}))
const reference = useReference({ runArgs: killJob, rows, exitCode: 3 })
const { folder, input, homeOf } = reference

/** It failed, and its message is one that a tired operator can use. */
const expectRefused = (ended: Ended, ...says: ReadonlyArray<string | RegExp>): void => {
  expect(ended.code, ended.stderr).toBe(1)
  for (const said of says) expect(ended.stderr).toMatch(said)
  expect(ended.stderr).not.toMatch(/^\s+at |\\n\s+at |defect/m)
}

/** Starts a run, and kills it when so many calls were made. */
const killedAt = async (
  home: FaultHome,
  args: ReadonlyArray<string>,
  calls: number,
  env: Readonly<Record<string, string>> = {}
): Promise<string> => {
  const command = home.start(args, env)
  await until(() => home.noted("call").length >= calls)
  command.kill("SIGKILL")
  await command.ended
  return onlyRun(home.state)
}

const progressOf = (home: FaultHome): Readonly<Record<string, unknown>> => {
  try {
    return JSON.parse(readFileSync(join(home.state, "runs", onlyRun(home.state), "progress.json"), "utf8")) as Record<string, unknown>
  } catch {
    return {}
  }
}

describe("a full disk", { timeout: 180_000 }, () => {
  const mounted = (name: string, megabytes: number) => mountSmall(join(folder.path, name, "state"), megabytes)

  it("[CHK-4] [OPS-5] checkpoint store unavailable: during the work the run waits, says so, pays for no more than it can hold, and goes on when there is room", async (context) => {
    using disk = mounted("full", 48)
    if (disk === null) return context.skip("no file system can be mounted here")
    const home = homeOf("full")
    const command = home.start(killJob)
    await until(() => home.noted("call").length >= 500)
    disk.fill()
    const before = home.noted("call").length
    await until(() => typeof progressOf(home)["trouble"] === "string")
    expect(progressOf(home)["trouble"]).toContain("is full")
    const status = lastJson(await home.start(["status", onlyRun(home.state)]).ended)
    expect(status).toMatchObject({ status: "running", trouble: expect.stringContaining("make room") })
    const held = home.noted("call").length
    expect(held - before).toBeLessThanOrEqual(workersOf(null) * slotsPerWorker + uncommittedMax)
    disk.makeRoom()
    const ended = await command.ended
    expect(ended.code, ended.stderr).toBe(3)
    expect(ended.stderr).toMatch(/ waits: .* is full.*\n(?:.*\n)*?.* goes on\.\n/)
    expect(new Set(home.noted("call")).size).toBe(home.noted("call").length)
    expect(await compareRuns(reference.run(), { state: home.state, run: onlyRun(home.state) })).toEqual({})
  })

  it("[CHK-4] [OPS-5] checkpoint store unavailable: during the work, and the run is stopped meanwhile: it stops, and a resume loses nothing", async (context) => {
    using disk = mounted("full-stopped", 48)
    if (disk === null) return context.skip("no file system can be mounted here")
    const home = homeOf("full-stopped")
    const command = home.start(killJob)
    await until(() => home.noted("call").length >= 500)
    disk.fill()
    await until(() => typeof progressOf(home)["trouble"] === "string")
    command.kill("SIGINT")
    const stopped = await command.ended
    expect(stopped.code, stopped.stderr).toBe(130)
    expect(stopped.stderr).not.toMatch(/^\s+at |\\n\s+at /m)
    disk.makeRoom()
    const ended = await home.start(["resume", onlyRun(home.state)]).ended
    expect(ended.code, ended.stderr).toBe(3)
    expect(await compareRuns(reference.run(), { state: home.state, run: onlyRun(home.state) })).toEqual({})
    expect(leftUnder(home.state)).toEqual([])
  })

  it("[CHK-4] [OPS-5] manifest build fails: says that the disk is full, leaves no half manifest, and a resume with more room builds it anew", async (context) => {
    using disk = mounted("full-manifest", 4)
    if (disk === null) return context.skip("no file system can be mounted here")
    const large = folder.write(
      "large.jsonl",
      rows
        .map((row) => JSON.stringify(row))
        .map((line) =>
          `${line.slice(0, -1)},"more":"${line.repeat(200)}"}\n`.replaceAll(
            /"more":"(.*)"/g,
            (_, more: string) => `"more":${JSON.stringify(more)}`
          )
        )
        .join("")
    )
    const home = makeHome(join(folder.path, "full-manifest"), { input: large })
    const failed = await home.start(killJob).ended
    expectRefused(failed, /is full/, /make room/)
    expect(home.noted("call")).toEqual([])
    expect(disk.remount("size=256m")).toBe(true)
    const ended = await home.start(["resume", onlyRun(home.state)]).ended
    expect(ended.code, ended.stderr).toBe(3)
    expect(lastJson(ended)).toMatchObject({ rowsRead: items, manifest: items })
    expect(leftUnder(home.state)).toEqual([])
  })

  it("[CHK-4] before anything is begun: says so", async (context) => {
    using disk = mounted("full-begin", 1)
    if (disk === null) return context.skip("no file system can be mounted here")
    const home = makeHome(join(folder.path, "full-begin"), { input })
    disk.fill()
    expectRefused(await home.start(killJob).ended, /is full/, /make room/i)
  })

  it("[CHK-4] [OPS-5] checkpoint store unavailable: a state folder that can't be written: says which, and what to do", async (context) => {
    using disk = mounted("read-only", 4)
    if (disk === null) return context.skip("no file system can be mounted here")
    const home = makeHome(join(folder.path, "read-only"), { input })
    expect(disk.remount("ro")).toBe(true)
    expectRefused(await home.start(killJob).ended, home.state, /can't be written/, /--state DIR/)
  })
})

/** Whether a process has DuckDB's addon in memory, and so is about to open files. */
const isDuckLoaded = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/maps`, "utf8").includes("duckdb.node")
  } catch {
    return false
  }
}

describe("two processes", { timeout: 180_000 }, () => {
  it("[CHK-5] on one run: the second is told who holds it, changes nothing, and the first goes on", async () => {
    const home = homeOf("second")
    const first = home.start(slowJob, { FAULT_SLOW: "walk" })
    await until(() => home.noted("call").length >= 64)
    const run = onlyRun(home.state)
    const [second, status] = await Promise.all([home.start(["resume", run]).ended, home.start(["status", run]).ended])
    expectRefused(second, `process ${first.pid}`, /Nothing was changed/, "state.duckdb")
    expect(lastJson(status)).toMatchObject({ status: "running", holder: { pid: first.pid } })
    const ended = await first.ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(home.noted("call")).toHaveLength(items)
    using files = await openFiles(runFiles(home.state, run))
    expect(await files.rows("select session, pid from state.sessions")).toEqual([{ session: 1, pid: first.pid }])
  })

  it("[CHK-5] that go on with one run at once: one does, the other is told", async () => {
    const home = homeOf("twice")
    const run = await killedAt(home, slowJob, 64, { FAULT_SLOW: "work" })
    const both = [0, 1].map(() => home.start(["resume", run], { FAULT_SLOW: "work" }))
    const ended = await Promise.all(both.map((command) => command.ended))
    const [done, refused] = ended.toSorted((a, b) => Number(a.code) - Number(b.code))
    if (done === undefined || refused === undefined) throw new Error("Two were started")
    expect(done.code, done.stderr).toBe(0)
    expectRefused(refused, /state\.duckdb is in use by process \d+/)
    using files = await openFiles(runFiles(home.state, run))
    expect(await files.rows("select count(*) as sessions from state.sessions")).toEqual([{ sessions: 2 }])
  })

  it("[CHK-5] [case 61] one of which only looks: a resume waits until it has looked", async () => {
    const home = homeOf("looked-at")
    const run = await killedAt(home, slowJob, 64, { FAULT_SLOW: "work" })
    const looker = await openFiles(runFiles(home.state, run), "read_write")
    const resumed = home.start(["resume", run])
    await until(() => isDuckLoaded(resumed.pid))
    looker[Symbol.dispose]()
    const ended = await resumed.ended
    expect(ended.code, ended.stderr).toBe(0)
  })

  it("[CHK-5] on two runs of one state folder work side by side", async () => {
    const home = homeOf("beside")
    const both = [home.start(slowJob, { FAULT_SLOW: "work" }), home.start(killJob)]
    const [slow, killed] = await Promise.all(both.map(({ ended }) => ended))
    expect([slow?.code, killed?.code], `${slow?.stderr}\n${killed?.stderr}`).toEqual([0, 3])
    const listed = JSON.parse((await home.start(["runs"]).ended).stdout) as ReadonlyArray<Record<string, unknown>>
    expect(listed.map(({ job, status }) => `${String(job)} ${String(status)}`).toSorted()).toEqual(["fault done", "slow done"])
    const counted = await home.start(["sql", "select job, count(*)::integer as items from items group by all order by all"]).ended
    expect(JSON.parse(counted.stdout)).toEqual([
      { job: "fault", items },
      { job: "slow", items }
    ])
    expect(leftUnder(home.state)).toEqual([])
  })

  it.each([
    ["of the dead process", null],
    ["that names a live stranger", process.pid],
    ["that is no JSON", "garbage"]
  ])("[CHK-5] [OPS-6] work queue failure: a stale note of a holder %s is taken over", async (_, pid) => {
    const home = homeOf(`stale-${String(pid)}`)
    const run = await killedAt(home, slowJob, 64, { FAULT_SLOW: "work" })
    const note = join(home.state, "runs", run, "holder.json")
    expect(existsSync(note)).toBe(true)
    if (pid !== null)
      writeFileSync(note, pid === "garbage" ? pid : JSON.stringify({ pid, startedAt: new Date().toISOString(), command: "runtime run" }))
    expect(lastJson(await home.start(["status", run]).ended)).toMatchObject({ status: "crashed", holder: null })
    const ended = await home.start(["resume", run]).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(lastJson(ended)).toMatchObject({ delivered: items })
    expect(leftUnder(home.state)).toEqual([])
  })
})

/** Stands for a file's bytes; null where there is no file. */
const digestOf = (file: string): string | null => (existsSync(file) ? createHash("sha256").update(readFileSync(file)).digest("hex") : null)

describe("a damaged file", { timeout: 180_000 }, () => {
  const damages: ReadonlyArray<readonly [what: string, damage: (file: string) => void]> = [
    ["cut to half", (file) => truncateSync(file, Math.floor(readFileSync(file).length / 2))],
    ["cut to 100 bytes", (file) => truncateSync(file, 100)],
    ["emptied", (file) => truncateSync(file, 0)],
    ["overwritten with garbage", (file) => writeFileSync(file, Buffer.alloc(50_000, "garbage "))],
    ["removed", (file) => rmSync(file)]
  ]
  let home: FaultHome
  let run: string
  beforeAll(async () => {
    home = homeOf("damaged")
    run = await killedAt(home, slowJob, 300, { FAULT_SLOW: "work" })
  })

  it.each(["state", "payload"].flatMap((name) => damages.map(([what, damage]) => ({ file: name, what, damage }))))(
    "[CHK-4] [OPS-6] checkpoint store failure: the $file file $what: resume says which and what to do, and doesn't touch it",
    async ({ file: name, damage }) => {
      const files = runFiles(home.state, run)
      const all = Object.values(files).flatMap((file) => [file, `${file}.wal`])
      const kept = all.map((file) => [file, existsSync(file) ? readFileSync(file) : null] as const)
      const damaged = files[name as keyof typeof files]
      damage(damaged)
      const now = [damaged, `${damaged}.wal`].map(digestOf)
      try {
        const ended = await home.start(["resume", run]).ended
        expect(ended.stderr).not.toMatch(/^\s+at |\\n\s+at |defect/m)
        expect(ended.stderr).toContain(`${name}.duckdb`)
        expect(ended.stderr).toMatch(/doctor|does not exist|--state DIR/)
        expect([1, 2]).toContain(ended.code)
        expect([damaged, `${damaged}.wal`].map(digestOf)).toEqual(now)
      } finally {
        for (const [file, bytes] of kept)
          if (bytes === null) rmSync(file, { force: true })
          else writeFileSync(file, bytes)
      }
    }
  )

  it("control: whole again, the run goes on to its end", async () => {
    const ended = await home.start(["resume", run]).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(lastJson(ended)).toMatchObject({ status: "done", delivered: items })
  })
})
