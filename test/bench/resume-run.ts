/** Kills a large run at half and resumes it: how long until the first new item is durable. */
import * as path from "node:path"
import { existsSync, readdirSync, readFileSync } from "node:fs"

import * as DuckDb from "@duckdb/node-api"

import { benchJob, startRuntime, writeItems } from "./run-process.ts"

export const benchResume = async (folder: string, items: number): Promise<void> => {
  const input = path.join(folder, "items.jsonl")
  const state = path.join(folder, "state")
  await writeItems(input, items)
  const first = startRuntime(["run", benchJob, "--json", "--state", state], { BENCH_INPUT: input })
  const committed = (): number => {
    const [run] = existsSync(path.join(state, "runs")) ? readdirSync(path.join(state, "runs")) : []
    const progress = path.join(state, "runs", run ?? "", "progress.json")
    return existsSync(progress) ? Number(JSON.parse(readFileSync(progress, "utf8")).committed) : 0
  }
  while (committed() < items / 2) await new Promise((resume) => setTimeout(resume, 100))
  process.kill(first.pid, "SIGKILL")
  await first.ended
  const [run = ""] = readdirSync(path.join(state, "runs"))
  const began = Date.now()
  const second = await startRuntime(["resume", run, "--json", "--state", state], { BENCH_INPUT: input }).ended
  if (second.code !== 0) throw new Error(`The resume ended with exit code ${second.code}: ${second.stderr}`)
  const connection = await (await DuckDb.DuckDBInstance.create(":memory:")).connect()
  await connection.run(`attach '${path.join(state, "runs", run, "state.duckdb")}' as state (read_only)`)
  const reader = await connection.runAndReadAll(`
    select epoch_ms(min(completed_at)) from state.checkpoints where session = 2`)
  const firstNew = Number(reader.getRowsJS()[0]?.[0])
  const twice = await connection.runAndReadAll("select count(*) - count(distinct seq) from state.attempts")
  console.log(`${"resume: first new item after".padEnd(34)} ${`${((firstNew - began) / 1_000).toFixed(2)} s`.padEnd(44)} ≤ 5 s`)
  console.log(`${"items asked twice".padEnd(34)} ${String(twice.getRowsJS()[0]?.[0]).padEnd(44)} ≤ in flight + one group commit`)
}
