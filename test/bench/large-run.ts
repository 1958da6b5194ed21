/** A large run as a user starts it, watched from outside, with an analyst counting beside it. */
import * as path from "node:path"

import * as DuckDb from "@duckdb/node-api"

import { watchAsAnalyst } from "./analyst.ts"
import { commitCeiling, manifestCeiling } from "./ceiling.ts"
import { benchJob, lastJson, startRuntime, writeItems } from "./run-process.ts"

const edgeItems = 100_000

export const benchLargeRun = async (folder: string, items: number): Promise<void> => {
  const input = path.join(folder, "items.jsonl")
  const state = path.join(folder, "state")
  await writeItems(input, items)
  const sample = Math.min(items, 200_000)
  const ceilings = { manifest: await manifestCeiling(input, folder, sample), commit: await commitCeiling(folder, sample) }
  const running = startRuntime(["run", benchJob, "--json", "--state", state], { BENCH_INPUT: input })
  const analyst = watchAsAnalyst(state)
  const ended = await running.ended
  const watched = await analyst.stop()
  if (ended.code !== 0) throw new Error(`The run ended with exit code ${ended.code}: ${ended.stderr}`)
  const said = lastJson(ended.stdout)
  const pace = await readPace(path.join(state, "runs", String(said["run"]), "state.duckdb"), items)
  const line = (name: string, value: string, goal: string): void => console.log(`${name.padEnd(34)} ${value.padEnd(44)} ${goal}`)
  line("manifest", `${rate(pace.manifestPerSecond)} (${ratio(pace.manifestPerSecond, ceilings.manifest)} of the ceiling)`, "≥ 30,000/s")
  line("work, durable", `${rate(pace.workPerSecond)} (${ratio(pace.workPerSecond, ceilings.commit)} of the ceiling)`, "≥ 15,000/s")
  line("last against first 100,000", ratio(pace.lastPerSecond, pace.firstPerSecond), "≥ 0.90")
  line("longest pause between commits", `${pace.stallSeconds.toFixed(2)} s`, "≤ 5 s")
  line("peak RSS", `${ended.peakMb.toFixed(0)} MB`, items > 1_000_000 ? "≤ 1,000 MB" : "≤ 700 MB")
  line("whole process", `${ended.seconds.toFixed(1)} s for ${items.toLocaleString("en-US")} items`, "")
  line("analyst: queries, slowest", `${watched.queries}, ${(watched.slowestMs / 1_000).toFixed(2)} s`, "< 1 s")
  line("analyst: furthest behind", `${watched.behindSeconds.toFixed(1)} s`, "≤ 10 s")
  line("analyst: errors, counts that fell", `${watched.errors}, ${watched.fell}`, "0, 0")
  line("ceilings: lines, commits", `${rate(ceilings.manifest)}, ${rate(ceilings.commit)}`, "")
}

const rate = (perSecond: number): string => `${Math.round(perSecond).toLocaleString("en-US")}/s`
const ratio = (value: number, of: number): string => (value / of).toFixed(2)

interface Pace {
  readonly manifestPerSecond: number
  readonly workPerSecond: number
  readonly firstPerSecond: number
  readonly lastPerSecond: number
  readonly stallSeconds: number
}

/** From the run's own record: every group commit has its time. */
const readPace = async (file: string, items: number): Promise<Pace> => {
  const connection = await (await DuckDb.DuckDBInstance.create(":memory:")).connect()
  await connection.run(`attach '${file}' as state (read_only)`)
  const edge = Math.min(edgeItems, Math.floor(items / 3))
  const reader = await connection.runAndReadAll(`
    with done as (select committed_at as moment, sum(items) over (order by commit_no) as items, committed_at - lag(committed_at) over (order by commit_no) as pause from state.commits),
    run as (select created_at, sealed_at from state.run)
    select ${items} / (epoch_ms(sealed_at - created_at) / 1000.0) as manifest,
      (select max(items) / (epoch_ms(max(moment) - (select sealed_at from run)) / 1000.0) from done) as work,
      ${edge} / (select epoch_ms(min(moment) filter (items >= ${edge}) - (select sealed_at from run)) / 1000.0 from done) as first,
      ${edge} / (select epoch_ms(max(moment) - min(moment) filter (items >= ${items - edge})) / 1000.0 from done) as last,
      (select max(epoch_ms(pause)) / 1000.0 from done) as stall
    from run`)
  const [row = []] = reader.getRowsJS()
  const [manifestPerSecond = 0, workPerSecond = 0, firstPerSecond = 0, lastPerSecond = 0, stallSeconds = 0] = row.map(Number)
  return { manifestPerSecond, workPerSecond, firstPerSecond, lastPerSecond, stallSeconds }
}
