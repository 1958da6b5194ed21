/** Runs the real command and watches it from outside: peak memory, and an analyst's queries beside it. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createWriteStream, readFileSync } from "node:fs"
import * as path from "node:path"

export const root = path.resolve(import.meta.dirname, "../..")
export const launcher = path.join(root, "bin/runtime.js")
export const benchJob = path.join(import.meta.dirname, "bench-job.ts")

/** The launcher is started as npx starts it, by its own first line: with the Node that runs the bench. */
const nodeFirst = `${path.dirname(process.execPath)}:${process.env["PATH"] ?? ""}`

const foxText = (index: number): string => `The quick brown fox ${(index * 7919) % 1000} jumps over the lazy dog`
/** No two are equal: equal requests would share an answer. */
export const mailText = (index: number): string => `Mail ${index} asks when the parcel of order ${index * 7_919} comes.`

/** About 90 bytes a line. */
export const writeItems = async (file: string, items: number, textOf = foxText): Promise<void> => {
  const out = createWriteStream(file)
  let text = ""
  for (let index = 0; index < items; index++) {
    text += `${JSON.stringify({ id: `item-${index}`, text: textOf(index), size: index % 97 })}\n`
    if (text.length < 1 << 20) continue
    if (!out.write(text)) await once(out, "drain")
    text = ""
  }
  out.end(text)
  await once(out, "finish")
}

export interface Watched {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly seconds: number
  /** Of the process, in MB: Linux's VmHWM. */
  readonly peakMb: number
}

export interface Running {
  readonly pid: number
  readonly ended: Promise<Watched>
}

export const startRuntime = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Running => {
  const began = performance.now()
  const child = spawn(launcher, args, { cwd: root, env: { ...process.env, ...env, PATH: nodeFirst }, stdio: ["ignore", "pipe", "pipe"] })
  const pid = child.pid ?? 0
  let stdout = ""
  let stderr = ""
  let peakMb = 0
  child.stdout.on("data", (data: Buffer) => (stdout += data.toString()))
  child.stderr.on("data", (data: Buffer) => (stderr = (stderr + data.toString()).slice(-4_000)))
  const timer = setInterval(() => (peakMb = Math.max(peakMb, peakOf(pid))), 200)
  const ended = once(child, "exit").then(([code]) => {
    clearInterval(timer)
    return { code: code as number | null, stdout, stderr, seconds: (performance.now() - began) / 1_000, peakMb }
  })
  return { pid, ended }
}

const peakOf = (pid: number): number => {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1_000
  } catch {
    return 0
  }
}

/** The last line of stdout, which is one JSON value. */
export const lastJson = (stdout: string): Record<string, unknown> => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "null")

export const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
