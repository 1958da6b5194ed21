/** An analyst in a process of their own: queries every view again and again until told to stop, and says what went wrong. */
import { fork, type ChildProcess } from "node:child_process"
import { once } from "node:events"

import * as DuckDb from "@duckdb/node-api"

export interface AnalystSight {
  readonly rounds: number
  readonly errors: ReadonlyArray<string>
  /** Views whose count was once lower than before. */
  readonly fell: ReadonlyArray<string>
  /** The last count of each view. */
  readonly counts: Readonly<Record<string, number>>
}

const views = [
  "items",
  "rejections",
  "attempts",
  "checkpoints",
  "dead_letters",
  "reviews",
  "retries",
  "flags",
  "exports",
  "steps",
  "partitions",
  "runs",
  "lineage"
]

/** Starts over `database` (`lineage.duckdb`). */
export const startAnalyst = (database: string) => {
  const child: ChildProcess = fork(import.meta.filename, [database])
  const nextRound = (): Promise<unknown> => once(child, "message")
  return {
    /** Resolves after a whole further look at all views. */
    look: async (): Promise<void> => {
      await nextRound()
      await nextRound()
    },
    stop: async (): Promise<AnalystSight> => {
      child.send("stop")
      for (;;) {
        const [sight] = (await nextRound()) as [AnalystSight | { readonly rounds: number }]
        if ("errors" in sight) return sight
      }
    }
  }
}

const look = async (database: string): Promise<void> => {
  const stop = { isAsked: false }
  process.once("message", () => (stop.isAsked = true))
  const errors: Array<string> = []
  const fell: Array<string> = []
  const counts: Record<string, number> = {}
  let rounds = 0
  const instance = await DuckDb.DuckDBInstance.create(database, { access_mode: "READ_ONLY" })
  const connection = await instance.connect()
  while (!stop.isAsked) {
    for (const view of views) {
      try {
        const reader = await connection.runAndReadAll(`select count(*), count(distinct run), max(job) from ${view}`)
        const count = Number(reader.getRowsJS()[0]?.[0] ?? 0)
        if (count < (counts[view] ?? 0)) fell.push(view)
        counts[view] = count
      } catch (error) {
        errors.push(`${view}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    process.send?.({ rounds: ++rounds })
  }
  process.send?.({ rounds, errors, fell, counts } satisfies AnalystSight, () => process.disconnect())
}

if (process.argv[1] === import.meta.filename) await look(process.argv[2] ?? "")
