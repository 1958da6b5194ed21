/** A working directory with a state folder and a log of calls, for the fault tests' jobs. */
import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { closeSync, copyFileSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"

import { linesOf, startRuntime, type CommandOptions, type RunningCommand } from "./run-command.ts"

export interface FaultHome {
  readonly path: string
  readonly state: string
  /** What the job's callbacks noted: `word n …`, one line each. */
  readonly log: string
  /** Stands in the environment of every process of this home, as `FAULT_MARK`. */
  readonly mark: string
  /** Starts `runtime … --state STATE --json` here. */
  readonly start: (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>, options?: CommandOptions) => RunningCommand
  /** Lines of the log that begin with a word. */
  readonly noted: (word: string) => ReadonlyArray<string>
}

interface HomeOptions {
  readonly input: string
  /** Another home's `state.key`: with it, items have the same ids, partitions and places there and here. */
  readonly key?: string
}

export const makeHome = (path: string, { input, key }: HomeOptions): FaultHome => {
  const state = join(path, "state")
  mkdirSync(state, { recursive: true })
  if (key !== undefined) copyFileSync(key, join(state, "state.key"))
  const log = join(path, "calls.log")
  const mark = randomUUID()
  const own = { FAULT_INPUT: input, FAULT_LOG: log, FAULT_MARK: mark }
  return {
    path,
    state,
    log,
    mark,
    start: (args, env = {}, options = {}) =>
      startRuntime([...args, "--json", "--state", state], { cwd: path, ...options, env: { ...own, ...env } }),
    noted: (word) => linesOf(log).filter((line) => line.startsWith(`${word} `))
  }
}

/** The key of a home, to be given to others. */
export const keyOf = ({ state }: Pick<FaultHome, "state">): string => join(state, "state.key")

/** A file system of its own of so many MB over a folder, gone with the scope. Null where this user may not mount one. */
export const mountSmall = (folder: string, megabytes: number) => {
  mkdirSync(folder, { recursive: true })
  const mount = (options: string): boolean => spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]).status === 0
  if (process.platform !== "linux" || !mount(`size=${megabytes}m`)) return null
  const filler = join(folder, "filler")
  return {
    /** Leaves no byte free. */
    fill: (): void => {
      const file = openSync(filler, "a")
      for (let bytes = 1 << 20; bytes >= 1; bytes >>= 1) while (isWritten(file, bytes));
      closeSync(file)
    },
    makeRoom: (): void => rmSync(filler),
    remount: (options: string): boolean => mount(`remount,${options}`),
    [Symbol.dispose]: (): void => void spawnSync("umount", ["-l", folder])
  }
}

const isWritten = (file: number, bytes: number): boolean => {
  try {
    return writeSync(file, Buffer.alloc(bytes, 1)) === bytes
  } catch {
    return false
  }
}
