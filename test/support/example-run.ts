/** Runs the commands that the modules in examples/ and jobs/ say they are run by, each as a process of its own. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { DuckDBInstance } from "@duckdb/node-api"

import type { Job, Plan } from "../../dsl/index.ts"
import { repo } from "./tree.ts"

/** A line such as `npx runtime run jobs/desk.ts#second --date 2026-03-02` in a module's comments. */
export interface ExampleCommand {
  /** `jobs/desk.ts#second` */
  readonly reference: string
  readonly args: ReadonlyArray<string>
}

/** The modules directly in examples/ and jobs/: what they share with each other stands in folders beside them. */
export const exampleModules = (): ReadonlyArray<string> =>
  ["examples", "jobs"].flatMap((folder) =>
    readdirSync(join(repo, folder))
      .filter((file) => file.endsWith(".ts"))
      .toSorted()
      .map((file) => `${folder}/${file}`)
  )

/** Whether a module's models are a provider's: such an example has a command of its own, which brings a provider. */
export const isPaid = (module: string): boolean => readFileSync(join(repo, module), "utf8").includes("npm run example:")

/** The commands that a module's comments name. */
export const commandsOf = (module: string): ReadonlyArray<ExampleCommand> =>
  [...readFileSync(join(repo, module), "utf8").matchAll(/npx runtime run (\S+)((?: --\S+ \S+)*)/g)].map(
    ([, reference = "", args = ""]) => ({
      reference,
      args: args.split(" ").filter((arg) => arg !== "")
    })
  )

/** Each job that a module exports, as `runtime` is told of it: `path` for the default, `path#export` for another. */
export const jobsOf = async (module: string): Promise<ReadonlyMap<string, Job>> => {
  const loaded: Readonly<Record<string, unknown>> = await import(join(repo, module))
  const jobs = Object.entries(loaded).filter((entry): entry is [string, Job] => isJob(entry[1]))
  return new Map(jobs.map(([name, job]) => [name === "default" ? module : `${module}#${name}`, job]))
}

const isJob = (value: unknown): value is Job => typeof value === "object" && value !== null && "kind" in value && value.kind === "job"

/** The numbers of `run --json`, and what the run keeps of its plan and summaries. */
export interface ExampleRun extends ExampleCommand {
  readonly exitCode: number | null
  readonly stderr: string
  readonly json: Readonly<Record<string, unknown>> & { readonly run: string; readonly job: string }
}

/** Runs all commands, at most `slots` at a time, in one state folder. */
export const runAll = async (commands: ReadonlyArray<ExampleCommand>, state: string, slots: number): Promise<ReadonlyArray<ExampleRun>> => {
  const waiting = [...commands]
  const done: Array<ExampleRun> = []
  const work = async () => {
    for (let command = waiting.shift(); command !== undefined; command = waiting.shift()) {
      const { reference, args } = command
      const { lastLine, ...ended } = await runtime(["run", reference, ...args, "--json", "--state", state])
      done.push({ ...command, ...ended, json: JSON.parse(lastLine === "" ? "null" : lastLine) })
    }
  }
  await Promise.all(Array.from({ length: slots }, work))
  return done
}

/** The rows of a query of `runtime sql`. */
export const runtimeSql = async (query: string, state: string): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> => {
  const { lastLine, stderr } = await runtime(["sql", query, "--json", "--state", state])
  const rows: unknown = JSON.parse(lastLine)
  if (!Array.isArray(rows)) throw new Error(`runtime sql gave no rows: ${stderr}`)
  return rows
}

const runtime = (args: ReadonlyArray<string>) =>
  new Promise<{ exitCode: number | null; lastLine: string; stderr: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [join(repo, "bin/runtime.js"), ...args], { cwd: repo, stdio: ["ignore", "pipe", "pipe"] })
    const out: Array<Buffer> = []
    const err: Array<Buffer> = []
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes))
    child.stderr.on("data", (bytes: Buffer) => err.push(bytes))
    child.on("error", reject)
    child.on("close", (exitCode) => {
      const lastLine = Buffer.concat(out).toString().trimEnd().split("\n").at(-1) ?? ""
      resolve({ exitCode, lastLine, stderr: Buffer.concat(err).toString() })
    })
  })

/** What a closed run's own files say. */
export interface RunContent {
  readonly plan: Plan
  readonly summaries: Readonly<Record<string, unknown>>
  readonly reports: Readonly<Record<string, string>>
}

export const readRun = async (state: string, run: string): Promise<RunContent> => {
  const database = await DuckDBInstance.create(":memory:")
  const connection = await database.connect()
  const pairs = async (query: string) =>
    (await connection.runAndReadAll(query)).getRows().map(([name, text]) => [String(name), String(text)] as const)
  try {
    for (const file of ["state", "payload"])
      await connection.run(`attach '${join(state, "runs", run, file)}.duckdb' as ${file} (read_only)`)
    const [[, plan] = ["", "null"]] = await pairs("select run, plan from state.run")
    const summaries = await pairs("select step, summary from payload.summaries order by step")
    const reports = await pairs("select step, report from payload.reports order by step")
    return {
      plan: JSON.parse(plan),
      summaries: Object.fromEntries(summaries.map(([step, summary]) => [step, JSON.parse(summary)])),
      reports: Object.fromEntries(reports)
    }
  } finally {
    connection.closeSync()
    database.closeSync()
  }
}
