/** Loads a job from its module, and says which version of the code that was. */
import { createHash } from "node:crypto"
import { existsSync, readFileSync, statSync } from "node:fs"
import { registerHooks } from "node:module"
import * as path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Job } from "../../dsl/index.ts"

export class JobNotLoaded extends Schema.TaggedError<JobNotLoaded>()("JobNotLoaded", {
  module: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
}) {
  override get message(): string {
    return `${this.module} gives no job: ${this.problem}. ${this.remedy}`
  }
}

export interface LoadedJob {
  readonly job: Job
  /** Absolute path, with `#export` where one was named. */
  readonly module: string
  /** Digest of the job's own files and of its lockfile, 12 hex digits. */
  readonly codeVersion: string
}

/** `path/to/job.ts` or `path/to/job.ts#export`. Runs the module's top level, so load only what you would run. */
export const loadJob = Effect.fn("Job.load")(function* (reference: string): Effect.fn.Return<LoadedJob, JobNotLoaded> {
  const [file = "", exported] = reference.split("#")
  const absolute = path.resolve(file)
  const refuse = (problem: string, remedy: string) => new JobNotLoaded({ module: reference, problem, remedy })
  if (!existsSync(absolute) || !statSync(absolute).isFile()) {
    return yield* refuse(
      `there is no such file in ${process.cwd()}`,
      "Name a module by its path: `runtime plan jobs/my-job.ts`, or write one with `runtime init`."
    )
  }
  const { loaded, files } = yield* Effect.tryPromise({
    try: () => importRecorded(absolute),
    catch: (cause) => refuse(`it doesn't load: ${causeOf(cause)}`, "Mend the module; `--log-level debug` prints the whole stack.")
  })
  const jobs = Object.entries(loaded).filter(([, value]) => isJob(value))
  const distinct = new Map(jobs.map(([name, value]) => [value, name]))
  const chosen = exported === undefined ? (loaded["default"] ?? [...distinct.keys()][0]) : loaded[exported]
  if (!isJob(chosen)) {
    return yield* distinct.size === 0
      ? refuse("it exports no job", 'End it with: export default job("my-job", { … }).')
      : refuse(
          `its export "${exported ?? "default"}" is no job`,
          `It exports ${jobs.map(([name]) => name).join(", ")}: write \`${file}#${jobs[0]?.[0] ?? "name"}\`.`
        )
  }
  if (exported === undefined && loaded["default"] === undefined && distinct.size > 1) {
    return yield* refuse(`it exports ${distinct.size} jobs`, `Name one: \`${file}#${jobs[0]?.[0] ?? "name"}\`.`)
  }
  return { job: chosen, module: exported === undefined ? absolute : `${absolute}#${exported}`, codeVersion: versionOf(absolute, files) }
})

const isJob = (value: unknown): value is Job =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "job" && "steps" in value && "names" in value

/** Imports a module and notes which files came with it, those of packages and of nightshift itself left out. */
const importRecorded = async (
  absolute: string
): Promise<{ readonly loaded: Readonly<Record<string, unknown>>; readonly files: ReadonlySet<string> }> => {
  const files = new Set([absolute])
  const own = path.resolve(import.meta.dirname, "..", "..")
  const hooks = registerHooks({
    load: (url, context, next) => {
      if (url.startsWith("file:") && !url.includes("/node_modules/")) {
        const file = fileURLToPath(url)
        if (!file.startsWith(path.join(own, "dsl")) && !file.startsWith(path.join(own, "runtime"))) files.add(file)
      }
      return next(url, context)
    }
  })
  try {
    return { loaded: (await import(pathToFileURL(absolute).href)) as Readonly<Record<string, unknown>>, files }
  } finally {
    hooks.deregister()
  }
}

const versionOf = (module: string, files: ReadonlySet<string>): string => {
  const digest = createHash("sha256")
  const root = path.dirname(module)
  const content = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex")
  for (const file of [...files].toSorted()) digest.update(`${path.relative(root, file)} ${content(file)}\n`)
  const lock = lockfileOf(root)
  if (lock !== null) digest.update(`lock ${content(lock)}\n`)
  return digest.digest("hex").slice(0, 12)
}

/** The nearest lockfile upwards: dependencies are part of the code. */
const lockfileOf = (folder: string): string | null => {
  for (const name of ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"]) {
    const file = path.join(folder, name)
    if (existsSync(file)) return file
  }
  const parent = path.dirname(folder)
  return parent === folder ? null : lockfileOf(parent)
}

/** The first line of an error, and where in the author's files it arose. */
const causeOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const at = /\(?(file:\/\/[^)\s]+|\/[^)\s:]+):(\d+)(?::\d+)?\)?/.exec((cause.stack ?? "").replace(cause.message, ""))
  const place = at?.[1] === undefined || at[1].includes("/node_modules/") ? "" : ` (${at[1].replace("file://", "")}:${at[2]})`
  return `${cause.message.split("\n")[0] ?? cause.name}${place}`
}
