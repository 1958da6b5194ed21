/** Clears away what killed processes left of files that they shared with others: a run's own parts it finishes or writes again itself. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"

import { onDisk } from "./durable-file.ts"
import { outputFolder } from "./output-tables.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Removes parts of schema files, views and output tables whose name ends in the pid of a process that is no more. */
export const removeStaleParts = (folder: StateFolder): Effect.Effect<void, StoreError> =>
  onDisk(folder.analytics, () => {
    for (const root of [folder.analytics, outputFolder(folder)]) {
      const names = namesIn(root)
      for (const shared of [root, ...names.map((name) => path.join(root, name, "run=schema"))]) {
        for (const name of namesIn(shared)) if (isStale(name)) fs.rmSync(path.join(shared, name), { recursive: true, force: true })
      }
    }
  })

const namesIn = (folder: string): ReadonlyArray<string> =>
  fs.existsSync(folder) && fs.statSync(folder).isDirectory() ? fs.readdirSync(folder) : []

/** `.000014.parquet.part-1.4711`, DuckDB's log beside such a part, `.outputs_job_step.4711`. */
const isStale = (name: string): boolean => {
  const pid = /^\..+\.(\d+)(\.wal)?$/.exec(name)?.[1]
  return pid !== undefined && Number(pid) !== process.pid && !isAlive(Number(pid))
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // Another user's process may not be signalled, and lives.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}
