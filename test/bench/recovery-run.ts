/** Recovery times of the disaster plan (OPS-6): from typing `resume` to the first checkpoint that is newly durable. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs"
import * as path from "node:path"

import * as DuckDb from "@duckdb/node-api"

import { line } from "./bench-line.ts"
import { benchJob, startRuntime, writeItems } from "./run-process.ts"

/** Section 10 of the pattern, in seconds. */
const goals = { fleet: 300, store: 1_800 } as const

export const benchRecovery = async (folder: string, items: number): Promise<void> => {
  const input = path.join(folder, "items.jsonl")
  const state = path.join(folder, "state")
  await writeItems(input, items)
  const env = { BENCH_INPUT: input }
  await killedAt(state, ["run", benchJob], env, items / 4)
  const [run = ""] = readdirSync(path.join(state, "runs"))
  const root = path.join(state, "runs", run)
  const backup = path.join(folder, "backup")
  cpSync(root, backup, { recursive: true })
  const killed = await timed(state, run, (args) => killedAt(state, args, env, items / 2))
  report("worker killed with SIGKILL", killed, goals.fleet)
  rmSync(root, { recursive: true })
  cpSync(backup, root, { recursive: true })
  const restored = await timed(state, run, async (args) => {
    const { code, stderr } = await startRuntime([...args, "--json", "--state", state], env).ended
    if (code !== 0) throw new Error(`The resume ended with exit code ${code}: ${stderr}`)
  })
  report("checkpoint store from a backup", restored, goals.store)
}

const report = (name: string, seconds: number, goal: number): void =>
  line(`RTO: ${name}`, `${seconds.toFixed(2)} s`, `≤ ${goal / 60} min`, seconds <= goal)

/** Runs or resumes until so many items are durable, and kills it then. */
const killedAt = async (
  state: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  items: number
): Promise<void> => {
  const running = startRuntime([...args, "--json", "--state", state], env)
  while (committed(state) < items) await new Promise((resume) => setTimeout(resume, 20))
  process.kill(running.pid, "SIGKILL")
  await running.ended
}

const committed = (state: string): number => {
  try {
    const [run = ""] = readdirSync(path.join(state, "runs"))
    const progress = path.join(state, "runs", run, "progress.json")
    return existsSync(progress) ? Number(JSON.parse(readFileSync(progress, "utf8")).committed) : 0
  } catch {
    return 0
  }
}

/** Seconds from the resume's start to its first commit of items. */
const timed = async (state: string, run: string, resume: (args: ReadonlyArray<string>) => Promise<void>): Promise<number> => {
  const began = Date.now()
  // What the last process had promised is there still.
  rmSync(path.join(state, "runs", run, "progress.json"), { force: true })
  await resume(["resume", run])
  const instance = await DuckDb.DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  // Attached for writing, because a killed run's log is to be read with it; then it is the next one's.
  await connection.run(`attach '${path.join(state, "runs", run, "state.duckdb")}' as state`)
  const reader = await connection.runAndReadAll(
    `select epoch_ms(min(committed_at)) from state.commits where epoch_ms(committed_at) >= ${began}`
  )
  connection.closeSync()
  instance.closeSync()
  return (Number(reader.getRowsJS()[0]?.[0]) - began) / 1_000
}
