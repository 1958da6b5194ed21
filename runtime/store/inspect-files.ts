/** Looks at a state folder's files from outside: who may read them, what was left behind, what the clock says. Opens none that DuckDB may hold. */
import * as fs from "node:fs"
import * as path from "node:path"

import { fail, ok, warn, type Finding } from "./finding.ts"
import type { StateFolder } from "./state-folder.ts"

/** Named in a finding at most. */
const namedMax = 3
/** A file's time is set by a kernel that may round. */
const futureMsMax = 2 * 60_000

/** Modes are looked at, not tried: root may do everything. */
export const inspectPermissions = ({ root, runs }: StateFolder): ReadonlyArray<Finding> => {
  const key = path.join(root, "state.key")
  const open = [runs, ...entries(runs).filter((file) => fs.statSync(file).isDirectory())].filter(isOpenToOthers)
  return [
    isOpenToOthers(key)
      ? fail("state.key", `others can read ${key}: with it, item keys can be guessed from their hashes`, `chmod 600 ${key}`)
      : ok("state.key", "there, and only its owner can read it"),
    open.length > 0
      ? warn(
          "permissions",
          `others can look into ${named(open)}, where inputs and answers are`,
          `chmod 700 ${open.slice(0, namedMax).join(" ")}${open.length > namedMax ? " …" : ""}`
        )
      : ok("permissions", "only their owner can look into runs")
  ]
}

/** `held` are names of runs that a process works on: their files are in use, not left over. */
export const inspectLeftovers = (folder: StateFolder, held: ReadonlySet<string>): ReadonlyArray<Finding> => {
  const names = entries(folder.runs).map((run) => path.basename(run))
  const free = names.filter((name) => !held.has(name)).map((name) => folder.run(name))
  const left = free.flatMap(({ temp, staging, holder, progress, cancel }) =>
    [temp, staging, `${staging}.wal`, holder, progress, cancel].filter((file) => fs.existsSync(file))
  )
  // A run that publishes has parts of its own.
  const parts = held.size > 0 ? [] : below(folder.analytics).filter((file) => path.basename(file).startsWith(".") && file.includes(".part"))
  const torn = names.flatMap((name) => entries(path.join(folder.runs, name)).filter((file) => file.endsWith(".wal.torn")))
  const all = [...left, ...parts]
  return [
    all.length > 0
      ? warn(
          "left-overs",
          `${all.length} files of processes that died: ${named(all)}`,
          `a resumed run removes its own; of runs that are done: rm -r ${all.slice(0, namedMax).join(" ")}${all.length > namedMax ? " …" : ""}`
        )
      : ok("left-overs", "none"),
    ...(torn.length > 0
      ? [
          warn(
            "torn logs",
            `a kill or a full disk cut ${torn.length} logs in the middle of a write that was never acknowledged; they were mended, and kept as they were: ${named(torn)}`,
            `nothing, or rm ${torn.slice(0, namedMax).join(" ")}`
          )
        ]
      : [])
  ]
}

/** `now` in milliseconds. */
export const inspectClock = ({ control, runs, analytics }: StateFolder, now: number): Finding => {
  const files = [control, ...entries(runs).flatMap(entries), ...entries(analytics)].filter((file) => fs.existsSync(file))
  const future = files.map((file) => ({ file, ahead: fs.statSync(file).mtimeMs - now })).filter(({ ahead }) => ahead > futureMsMax)
  const latest = future.toSorted((a, b) => b.ahead - a.ahead)[0]
  return latest === undefined
    ? ok("clock", `${new Date(now).toISOString()}, and no file is from the future`)
    : warn(
        "clock",
        `${future.length} files are from the future, ${latest.file} by ${Math.round(latest.ahead / 60_000)} minutes: the clock was set back, or was wrong when they were written`,
        "check it with `timedatectl`; schedules and lineage go by it"
      )
}

const entries = (folder: string): ReadonlyArray<string> =>
  fs.existsSync(folder) && fs.statSync(folder).isDirectory()
    ? fs
        .readdirSync(folder)
        .toSorted()
        .map((name) => path.join(folder, name))
    : []

const below = (folder: string): ReadonlyArray<string> =>
  fs.existsSync(folder)
    ? fs
        .readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath, entry.name))
    : []

const isOpenToOthers = (file: string): boolean => (fs.statSync(file).mode & 0o077) !== 0

const named = (files: ReadonlyArray<string>): string =>
  `${files.slice(0, namedMax).join(", ")}${files.length > namedMax ? ` and ${files.length - namedMax} more` : ""}`
