/**
 * The watchdog's own thread. A function that never returns can't be interrupted on the thread that it holds, and nothing else runs there: this
 * thread sees that, notes for the next session whose fault it is, and ends the process. Imports nothing but Node: it starts with every run.
 */
/* oxlint-disable no-restricted-properties, unicorn/require-post-message-target-origin -- Effect's clock stops with the thread that it is on; no window is near. */
import * as fs from "node:fs"
import { Session, type Debugger } from "node:inspector"
import { setInterval, setTimeout } from "node:timers"
import { parentPort, workerData } from "node:worker_threads"

import type { CrashLine } from "../store/crash-log.ts"
import type { CallSite } from "./thread-note.ts"
import type { WatchdogData } from "./watchdog.ts"

// Given by `openWatchdog`, the only one that starts this file.
const { note, noteAt, boundMs, tickMs, run, crashes, session, codeVersion, pid, asJson } = workerData as WatchdogData
/** Where the runtime's own code is. */
const runtimeUrl = new URL("..", import.meta.url).href
const names = new Map<number, Omit<CallSite, "seq">>()
parentPort?.on("message", ([number, name]: [number, Omit<CallSite, "seq">]) => names.set(number, name))

const read = (at: number): number => Atomics.load(note, at)
/** A process that was stopped, or a machine that slept, counts for one tick. */
const stepMax = 2 * tickMs
let last = performance.now()
let seen = { calls: -1, beats: -1, cpuMs: cpuOfMain() }
/** Ms that one function has held the thread for; that nothing else came to its turn. */
let heldMs = 0
let blockedMs = 0
let isEnding = false

setInterval(() => {
  const now = performance.now()
  const passed = Math.min(now - last, stepMax)
  last = now
  if (isEnding) return
  const calls = read(noteAt.calls)
  const beats = read(noteAt.beats)
  if (beats !== seen.beats) parentPort?.postMessage("beat")
  heldMs = calls === seen.calls && read(noteAt.site) !== 0 ? heldMs + passed : 0
  blockedMs = beats === seen.beats && read(noteAt.flights) > 0 ? blockedMs + passed : 0
  if (heldMs === 0 && blockedMs === 0) seen = { calls, beats, cpuMs: cpuOfMain() }
  else seen = { ...seen, calls, beats }
  const isNamed = heldMs >= boundMs
  // A function that has the thread now is told by name, when its time is over.
  if (!isNamed && (blockedMs < boundMs || read(noteAt.site) !== 0)) return
  if (read(noteAt.isInspected) === 1 || isStarved()) {
    heldMs = 0
    blockedMs = 0
    return
  }
  isEnding = true
  endProcess(isNamed, calls)
}, tickMs)

/** Runnable, and given no processor: the machine is overloaded, and nobody is to blame. Not known outside of Linux. */
function isStarved(): boolean {
  const used = cpuOfMain()
  return used !== null && seen.cpuMs !== null && used - seen.cpuMs < boundMs / 5 && /^[RtT]$/.test(stateOfMain())
}

function statOfMain(): ReadonlyArray<string> {
  try {
    return fs.readFileSync(`/proc/self/task/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? []
  } catch {
    return []
  }
}

/** `R` runs or would like to, `S` and `D` wait, `t` and `T` are stopped. */
function stateOfMain(): string {
  return statOfMain()[0] ?? ""
}

/** Ms of processor that the main thread has used. */
function cpuOfMain(): number | null {
  const [user, system] = [statOfMain()[11], statOfMain()[12]]
  return user === undefined || system === undefined ? null : (Number(user) + Number(system)) * 10
}

/** Stops the thread where it is, to see whether it is still there and in which line; then the process ends. */
function endProcess(isNamed: boolean, calls: number): void {
  const inspector = new Session()
  const scripts = new Map<string, string>()
  let isOver = false
  // In a call into the system that doesn't come back nothing can be asked.
  const deaf = setTimeout(() => finish(null), 2_000)
  inspector.connectToMainThread()
  inspector.on("Debugger.scriptParsed", ({ params }) => void scripts.set(params.scriptId, params.url))
  inspector.on("Debugger.paused", ({ params }) => {
    if (isOver) return
    const hasGoneOn = isNamed ? read(noteAt.calls) !== calls || read(noteAt.site) === 0 : read(noteAt.beats) !== seen.beats
    if (!hasGoneOn) return finish(placeOf(params.callFrames, scripts))
    clearTimeout(deaf)
    inspector.post("Debugger.resume", () => {
      inspector.disconnect()
      heldMs = 0
      blockedMs = 0
      isEnding = false
    })
  })
  inspector.post("Debugger.enable")
  inspector.post("Debugger.pause")

  function finish(place: string | null): void {
    isOver = true
    tell(isNamed ? { seq: read(noteAt.seq), ...names.get(read(noteAt.site)) } : null, place)
    setTimeout(() => process.kill(pid, "SIGKILL"), place === null ? 0 : 1_000)
    // Its stderr is closed before: Node would say that it waits for a debugger.
    const expression = 'process.getBuiltinModule("node:fs").closeSync(2); process.reallyExit(1)'
    if (place !== null) inspector.post("Runtime.evaluate", { expression })
  }
}

/** The nearest line that is the author's own. */
function placeOf(frames: ReadonlyArray<Debugger.CallFrame>, scripts: ReadonlyMap<string, string>): string {
  const own = frames
    .map(({ location, url }) => ({ url: url === "" ? (scripts.get(location.scriptId) ?? "") : url, line: location.lineNumber + 1 }))
    .find(({ url }) => url.startsWith("file:") && !url.includes("/node_modules/") && !url.startsWith(runtimeUrl))
  return own === undefined ? "" : ` (${decodeURI(own.url.replace("file://", ""))}:${own.line})`
}

function tell(site: { readonly seq: number; readonly step?: string; readonly callback?: string } | null, place: string | null): void {
  const seconds = `${Math.round(boundMs / 100) / 10} s`
  const about = { session, codeVersion }
  const line: CrashLine =
    site === null
      ? { ...about, kind: "blocked" }
      : { ...about, kind: "hung", seq: site.seq < 0 ? null : site.seq, step: site.step ?? "", callback: site.callback ?? "" }
  let noted = ""
  try {
    fs.appendFileSync(crashes, `${JSON.stringify(line)}\n`, { mode: 0o600, flush: true })
  } catch (cause) {
    noted = ` This could not be noted for the resume: ${cause instanceof Error ? cause.message : String(cause)}.`
  }
  const message = `Run ${run}: ${said(site, place ?? "", seconds)} Everything that is done stays.${noted}`
  write(2, `${message}\n`)
  if (asJson) write(1, `${JSON.stringify({ error: { tag: "CallbackHung", message } })}\n`)
}

function said(site: Parameters<typeof tell>[0], place: string, seconds: string): string {
  const longer = "If it needs that long: a longer callbackTimeout in the job, and --accept-plan."
  if (site === null)
    return (
      `job code held the process for ${seconds}${place}, in one of ${read(noteAt.flights)} items; the process was ended. ` +
      `\`runtime resume ${run}\` goes on; items that were in it at two such ends run alone, until the one is found. ${longer}`
    )
  const what = `${site.callback ?? "a callback"} of step ${site.step ?? "?"} held the process for ${seconds}`
  return site.seq < 0
    ? `${what}${place}; the process was ended. Mend it, then \`runtime resume ${run}\`. ${longer}`
    : `${what} at item ${site.seq} of the manifest${place}; the process was ended. \`runtime resume ${run}\` dead-letters that item as hung and goes on. ${longer}`
}

/** At once: what is written through `process` would wait for the thread that hangs. */
function write(file: number, text: string): void {
  try {
    fs.writeSync(file, text)
  } catch {
    // Nobody reads it.
  }
}
