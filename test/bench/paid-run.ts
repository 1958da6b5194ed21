/** One paid run of the real command, and its own record of how fast it went. */
import { readdirSync } from "node:fs"
import * as path from "node:path"

import * as DuckDb from "@duckdb/node-api"

import type { FakeProcess } from "./fake-process.ts"
import { lastJson, startRuntime, type Watched } from "./run-process.ts"

export const paidBenchJob = path.join(import.meta.dirname, "paid-bench-job.ts")

export interface PaidBench {
  readonly fake: FakeProcess
  readonly state: string
  readonly input: string
  /** A name of the job's models. */
  readonly model: string
}

/** Starts `runtime …` for such a job; `args` come before its own. */
export const startPaid = (args: ReadonlyArray<string>, { fake, state, input, model }: PaidBench) =>
  startRuntime([...args, "--json", "--state", state], { ...fake.env, BENCH_INPUT: input, BENCH_MODEL: model })

/** What `run --json` and `resume --json` say. */
export interface Said {
  readonly run: string
  readonly delivered: number
  readonly dead: number
  readonly spentUsd: number
  readonly calls: number
  readonly reused: number
}

/** Runs to the end; an end with dead letters is one too. */
export const runPaid = async (bench: PaidBench): Promise<{ readonly said: Said; readonly watched: Watched }> => {
  const watched = await startPaid(["run", paidBenchJob], bench).ended
  return { said: saidOf(watched), watched }
}

export const saidOf = (watched: Watched): Said => {
  if (watched.code !== 0 && watched.code !== 3) throw new Error(`The run ended with exit code ${watched.code}: ${watched.stderr}`)
  // What the command prints, by its own promise.
  return lastJson(watched.stdout) as unknown as Said
}

/** The one run of a state folder. */
export const runOf = (state: string): string => {
  const [run, ...others] = readdirSync(path.join(state, "runs"))
  if (run === undefined || others.length > 0) throw new Error(`${state} holds ${others.length + 1} runs`)
  return run
}

/** Asks the run's record for numbers, by row. The run must have ended, or have been killed. */
export const askRows = async (state: string, sql: string): Promise<ReadonlyArray<ReadonlyArray<number>>> => {
  const instance = await DuckDb.DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  await connection.run(`attach '${path.join(state, "runs", runOf(state), "state.duckdb")}' as state (read_only)`)
  const reader = await connection.runAndReadAll(sql)
  const rows = reader.getRowsJS().map((row) => row.map(Number))
  connection.closeSync()
  instance.closeSync()
  return rows
}

/** One row. */
export const askRecord = async (state: string, sql: string): Promise<ReadonlyArray<number>> => (await askRows(state, sql))[0] ?? []

/** Items a second from the first lease to the last commit; or until so large a share of them was durable, without the tail that waits before a retry. */
export const workPace = async (state: string, share = 1): Promise<number> => {
  const [pace = Number.NaN] = await askRecord(
    state,
    `with done as (select committed_at, sum(items) over (order by commit_no) as items from state.commits),
      enough as (select committed_at, items from done where items >= ${share} * (select count(*) from state.manifest) order by items limit 1)
    select items / (epoch_ms((select ${share < 1 ? "committed_at" : "max(committed_at) from state.commits"}) - (select min(leased_at) from state.partitions)) / 1000.0) from enough`
  )
  return pace
}
