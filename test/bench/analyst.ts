/** An analyst in a process of their own, who counts the live run's checkpoints again and again. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import * as path from "node:path"

import * as DuckDb from "@duckdb/node-api"

export interface AnalystReport {
  readonly queries: number
  readonly slowestMs: number
  /** How old the newest counted checkpoint was at worst, while the run was working. */
  readonly behindSeconds: number
  readonly errors: number
  /** How often a count was lower than an earlier one. */
  readonly fell: number
}

/** Starts counting; `stop` ends the process and returns what it saw. */
export const watchAsAnalyst = (state: string): { readonly stop: () => Promise<AnalystReport> } => {
  const child = fork(import.meta.filename, [state])
  const report = once(child, "message").then(([message]) => message as AnalystReport)
  return {
    stop: async () => {
      child.send("stop")
      return report
    }
  }
}

const everyMs = 500

const count = async (state: string): Promise<void> => {
  const report = { queries: 0, slowestMs: 0, behindSeconds: 0, errors: 0, fell: 0 }
  const stopping = new AbortController()
  process.once("message", () => stopping.abort())
  let last = 0
  const views = path.join(state, "analytics", "lineage.sql")
  const connection = await (await DuckDb.DuckDBInstance.create(":memory:")).connect()
  while (!stopping.signal.aborted) {
    await new Promise((resume) => setTimeout(resume, everyMs))
    if (!existsSync(views)) continue
    const durable = durableNow(state)
    const began = performance.now()
    try {
      if (report.queries === 0) await connection.run(readFileSync(views, "utf8"))
      const reader = await connection.runAndReadAll("select count(*), max(completed_at)::timestamp from checkpoints")
      report.slowestMs = Math.max(report.slowestMs, performance.now() - began)
      report.queries++
      const counted = Number(reader.getRowsJS()[0]?.[0] ?? 0)
      if (counted < last) report.fell++
      last = counted
      lag.push({ at: Date.now(), durable, counted })
    } catch (error) {
      report.errors++
      console.error("analyst:", error instanceof Error ? error.message.split("\n")[0] : error)
    }
  }
  process.send?.({ ...report, behindSeconds: behind() }, () => process.disconnect())
}

/** What was durable at a time, and what could be counted then. */
const lag: Array<{ readonly at: number; readonly durable: number; readonly counted: number }> = []

/** The longest time from a number of items being durable until so many could be counted. */
const behind = (): number => {
  let worstMs = 0
  for (const [index, { at, durable }] of lag.entries()) {
    const seen = lag.slice(index).find(({ counted }) => counted >= durable)
    if (seen !== undefined) worstMs = Math.max(worstMs, seen.at - at)
  }
  return worstMs / 1_000
}

const durableNow = (state: string): number => {
  try {
    const [run = ""] = readdirSync(path.join(state, "runs"))
    return Number(JSON.parse(readFileSync(path.join(state, "runs", run, "progress.json"), "utf8")).committed)
  } catch {
    return 0
  }
}

if (process.argv[1] === import.meta.filename) await count(process.argv[2] ?? ".nightshift")
