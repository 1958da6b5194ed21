/** Kills a run at moments that a seed chooses, resumes it until it is done, and looks between each kill and the resume at what was durable. */
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"

import type { FaultHome } from "./fault-home.ts"
import { seeded } from "./luck.ts"
import { lastJson, linesOf, openFiles, runFiles, runNames, type Ended, type RunningCommand } from "./run-command.ts"

/** When a process is killed: once its log has grown by so many lines, and so many ms later. */
export interface KillPoint {
  readonly phase: "begin" | "manifest" | "work" | "closing"
  readonly lines: number
  readonly ms: number
}

/** How many lines an uninterrupted run writes in each phase. */
export interface LineCounts {
  readonly manifest: number
  readonly work: number
  readonly closing: number
}

/** The kill points of a seed: one in most, two or three in some; later ones hit a resume. */
export const killPointsOf = (seed: number, lines: LineCounts): ReadonlyArray<KillPoint> => {
  const random = seeded(seed * 0x9e3779b9)
  const below = (bound: number): number => Math.floor(random() * bound)
  const kills = seed % 11 === 0 ? 3 : seed % 6 === 5 ? 2 : 1
  const phases = ["work", "closing", "work", "manifest", "work", "begin"] as const
  return Array.from({ length: kills }, (_, index) => {
    const phase = phases[index === 0 ? seed % phases.length : below(phases.length)] ?? "work"
    if (phase === "begin") return { phase, lines: 0, ms: below(300) }
    if (phase === "manifest") return { phase, lines: 1 + below(lines.manifest), ms: below(80) }
    // A resume has its manifest already, and less to do than the run had.
    const before = index === 0 ? lines.manifest : 0
    const work = index === 0 ? lines.work : Math.floor(lines.work / 3)
    if (phase === "work") return { phase, lines: before + 1 + below(work), ms: below(20) }
    return { phase, lines: before + (index === 0 ? work : 0) + 1 + below(lines.closing), ms: below(400) }
  })
}

/** What was durable when a process was killed, read from copies of its files. */
export interface Durable {
  readonly isBegun: boolean
  /** `step n attempt` of each call whose attempt is in the file. */
  readonly calls: ReadonlySet<string>
  /** Items with a disposition. */
  readonly finished: number
  /** What `progress.json` had promised to be durable. */
  readonly promised: number
}

export interface KilledRun {
  readonly run: string
  readonly last: Ended
  /** Kills that hit a live process. */
  readonly kills: ReadonlyArray<{
    readonly point: KillPoint
    readonly durable: Durable
    /** Log lines written by then. */ readonly lines: number
  }>
}

export interface KillOptions {
  readonly home: FaultHome
  readonly points: ReadonlyArray<KillPoint>
  /** Arguments of the first command. */
  readonly runArgs: ReadonlyArray<string>
}

export const killAndResume = async (options: KillOptions): Promise<KilledRun> => {
  const { home, points, runArgs } = options
  const { state, log } = home
  const kills: Array<KilledRun["kills"][number]> = []
  for (let index = 0; ; index++) {
    const run = runNames(state).at(-1)
    const isBegun = kills.some(({ durable }) => durable.isBegun)
    // Killed before its first row was durable, a run isn't there to be resumed: nothing was read or asked.
    const args = run === undefined || !isBegun ? runArgs : ["resume", run]
    const command = home.start(args)
    const point = points[index]
    if (point !== undefined) await killAt(command, point, home)
    const last = await command.ended
    if (last.signal === "SIGKILL") {
      const name = runNames(state).at(-1)
      kills.push({
        point: point ?? { phase: "work", lines: 0, ms: 0 },
        durable: await readDurable(state, name),
        lines: linesOf(log).length
      })
      // Three kills that all hit one item speak against it, and it would be given up: here they are no doing of the job's.
      if (kills.length >= 2 && name !== undefined) rmSync(join(state, "runs", name, "in-flight"), { force: true })
      continue
    }
    return { run: String(lastJson(last)["run"]), last, kills }
  }
}

/** Resolves when the process was killed, or ended by itself. */
const killAt = async (command: RunningCommand, { phase, lines, ms }: KillPoint, { log, state }: FaultHome): Promise<void> => {
  const grown = lineCounter(log)
  const known = runNames(state).length
  const end = new AbortController()
  void command.ended.then(
    () => end.abort(),
    () => end.abort()
  )
  const isThere = (): boolean => {
    // A resume begins on a run that is there.
    if (phase === "begin") return known > 0 || runNames(state).length > 0
    return grown() >= lines
  }
  while (!end.signal.aborted && !isThere()) await pause(2)
  await pause(ms)
  if (!end.signal.aborted) command.kill("SIGKILL")
}

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms))

/** Counts the lines that were added since; reads each byte once. */
const lineCounter = (log: string): (() => number) => {
  let at = existsSync(log) ? statSync(log).size : 0
  let lines = 0
  return () => {
    if (!existsSync(log) || statSync(log).size === at) return lines
    const file = openSync(log, "r")
    const bytes = Buffer.alloc(statSync(log).size - at)
    at += readSync(file, bytes, 0, bytes.length, at)
    closeSync(file)
    for (const byte of bytes) if (byte === 10) lines++
    return lines
  }
}

/** Copies, because opening a killed run's files would mend them, and that is for the resume to do. */
const readDurable = async (state: string, run: string | undefined): Promise<Durable> => {
  const nothing: Durable = { isBegun: false, calls: new Set(), finished: 0, promised: 0 }
  if (run === undefined) return nothing
  const folder = join(state, "runs", run)
  const copies = join(state, "copies")
  mkdirSync(copies, { recursive: true })
  try {
    for (const [name, file] of Object.entries(runFiles(state, run))) {
      if (!existsSync(file)) return nothing
      copyFileSync(file, join(copies, `${name}.duckdb`))
      if (existsSync(`${file}.wal`)) copyFileSync(`${file}.wal`, join(copies, `${name}.duckdb.wal`))
    }
    return { ...(await readCopies(copies)), promised: promisedIn(join(folder, "progress.json")) }
  } finally {
    rmSync(copies, { recursive: true, force: true })
  }
}

const readCopies = async (copies: string): Promise<Omit<Durable, "promised">> => {
  using files = await openFiles({ state: join(copies, "state.duckdb"), payload: join(copies, "payload.duckdb") }, "read_write")
  const tables = (await files.rows("select table_name from duckdb_tables() where database_name = 'state'")).map((row) => row["table_name"])
  if (!tables.includes("run") || (await files.rows("from state.run")).length === 0) return { isBegun: false, calls: new Set(), finished: 0 }
  const calls = await files.rows(`select model || ' ' || (body->>'$.n') || ' ' || attempt as call
    from state.attempts join state.variants using (variant) join payload.items using (seq)`)
  const finished = await files.rows(
    "select count(*) as items from (select seq from state.checkpoints where disposition is not null group by seq having count(*) = 2)"
  )
  return { isBegun: true, calls: new Set(calls.map((row) => String(row["call"]))), finished: Number(finished[0]?.["items"]) }
}

const promisedIn = (progress: string): number => {
  try {
    return Number((JSON.parse(readFileSync(progress, "utf8")) as { committed: number }).committed)
  } catch {
    return 0
  }
}
