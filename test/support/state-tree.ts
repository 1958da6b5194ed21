/** What stands in a state folder, and who has something of it open. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** Every entry under a folder, relative to it, sorted. */
const filesUnder = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()

/** Names of what a clean end must not leave: notes, parts, staging, sockets, whatever begins with a dot. */
export const leftUnder = (folder: string): ReadonlyArray<string> =>
  filesUnder(folder).filter((file) =>
    /(^|\/)(\.|holder\.json|progress\.json|cancel$|temp(\/|$)|staging)|\.(part|new|tmp|sock|wal)(\.|$)/.test(file)
  )

/** Pids of live processes that have this pair in their environment: a run's process and all that it started. Linux only. */
export const processesWith = (name: string, value: string): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((pid) => (/^\d+$/.test(pid) && environmentOf(pid).includes(`${name}=${value}`) ? [Number(pid)] : []))

const environmentOf = (pid: string): ReadonlyArray<string> => {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")
  } catch {
    return []
  }
}
