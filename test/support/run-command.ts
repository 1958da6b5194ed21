/** The real command in a process of its own, for tests that kill it, stop it and read what it left. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

import * as DuckDb from "@duckdb/node-api"

import { repo } from "./tree.ts"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly seconds: number
}

export interface CommandOptions {
  /** The working directory: sources' relative paths start here. Default: the repo. */
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Kills the process and fails; default 60 s. */
  readonly timeoutMs?: number
}

export interface RunningCommand {
  readonly pid: number
  readonly ended: Promise<Ended>
  readonly kill: (signal: NodeJS.Signals) => void
  /** What it has written to stderr so far. */
  readonly stderr: () => string
}

/** `runtime …` as a person starts it, with node and not through npx, which keeps signals for itself. */
export const startRuntime = (args: ReadonlyArray<string>, options: CommandOptions = {}): RunningCommand => {
  const { cwd = repo, env = {}, timeoutMs = 60_000 } = options
  const began = performance.now()
  const child = spawn(process.execPath, [join(repo, "bin/runtime.js"), ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill("SIGKILL")
  }, timeoutMs)
  const ended = once(child, "close").then(([code, signal]) => {
    clearTimeout(timer)
    if (isLate) throw new Error(`runtime ${args.join(" ")} did not end within ${timeoutMs} ms.\n${stdout}\n${stderr}`)
    return {
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout,
      stderr,
      seconds: (performance.now() - began) / 1_000
    }
  })
  // Whoever never asks how it ended must not crash the test process.
  ended.catch(() => undefined)
  return { pid: child.pid ?? 0, ended, kill: (signal) => void child.kill(signal), stderr: () => stderr }
}

export const runRuntime = (args: ReadonlyArray<string>, options: CommandOptions = {}): Promise<Ended> => startRuntime(args, options).ended

/** Resolves once a condition holds; asks every few milliseconds, and fails after a minute. */
export const until = async (holds: () => boolean): Promise<void> => {
  const began = performance.now()
  while (!holds()) {
    if (performance.now() - began > 60_000) throw new Error(`Still not so after a minute: ${holds}`)
    await new Promise((resume) => setTimeout(resume, 5))
  }
}

/** Whole lines of a log; none where there is no file. */
export const linesOf = (log: string): ReadonlyArray<string> => (existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : [])

/** The JSON value on the last line of stdout, which `--json` promises. */
export const lastJson = ({ stdout, stderr, code }: Ended): Record<string, unknown> => {
  const line = stdout.trimEnd().split("\n").at(-1) ?? ""
  if (!line.startsWith("{")) throw new Error(`No JSON on the last line (exit code ${code}): ${stdout}\n${stderr}`)
  return JSON.parse(line) as Record<string, unknown>
}

/** A folder that goes with the scope of `using`, with the repo's packages in reach of the modules in it. */
export const tempFolder = (): {
  readonly path: string
  readonly write: (name: string, content: string | Uint8Array) => string
} & Disposable => {
  const path = mkdtempSync(join(tmpdir(), "nightshift-fault-"))
  symlinkSync(join(repo, "node_modules"), join(path, "node_modules"))
  return {
    path,
    write: (name, content) => {
      const file = join(path, name)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, content)
      return file
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true })
  }
}

/** The names of a state folder's runs, oldest first. */
export const runNames = (state: string): ReadonlyArray<string> => {
  try {
    return readdirSync(join(state, "runs")).toSorted()
  } catch {
    return []
  }
}

/** The only run of a state folder. */
export const onlyRun = (state: string): string => {
  const names = runNames(state)
  const [name] = names
  if (name === undefined || names.length > 1) throw new Error(`Expected one run in ${state}, found: ${names.join(", ")}`)
  return name
}

export type Row = Readonly<Record<string, unknown>>

/** Files of DuckDB attached under these names, until the scope ends. Only for files that no process holds. */
export const openFiles = async (files: Readonly<Record<string, string>>, mode: "read_only" | "read_write" = "read_only") => {
  const instance = await DuckDb.DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "500MB" })
  const connection = await instance.connect()
  await connection.run("set TimeZone = 'UTC'")
  for (const [name, file] of Object.entries(files)) await connection.run(`attach '${file.replaceAll("'", "''")}' as ${name} (${mode})`)
  return {
    run: async (statement: string): Promise<void> => void (await connection.run(statement)),
    /** Rows with plain values: bigints within 2^53 as numbers. */
    rows: async (query: string): Promise<ReadonlyArray<Row>> =>
      (await (await connection.runAndReadAll(query)).getRowObjectsJson()).map(plainRow),
    [Symbol.dispose]: () => {
      connection.closeSync()
      instance.closeSync()
    }
  }
}

export type OpenFiles = Awaited<ReturnType<typeof openFiles>>

/** DuckDB gives BIGINT as text in JSON. */
const plainRow = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value])
  )

/** The two files of a run. */
export const runFiles = (state: string, run: string) => ({
  state: join(state, "runs", run, "state.duckdb"),
  payload: join(state, "runs", run, "payload.duckdb")
})
