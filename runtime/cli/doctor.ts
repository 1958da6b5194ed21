/** `runtime doctor` */
import { accessSync, constants, existsSync, readdirSync } from "node:fs"
import * as path from "node:path"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Finding } from "../store/finding.ts"
import { formatBytes } from "./format.ts"
import { exitCodes, verb, type Said } from "./verb.ts"

/** A run that fills the disk pauses rather than lose anything, but it pauses. */
const freeBytesLow = 2e9
const freeBytesTooLow = 2e8

export const doctor = verb(
  "doctor",
  {
    description:
      "Check what nightshift stands on: Node, disk, permissions, every run's files, what crashed or was left behind, the clock, the analysts' views. Says what to type. Exit 1 if something fails.",
    examples: [["runtime doctor", "look at ./.nightshift"]]
  },
  {},
  Effect.fnUntraced(function* ({ state }) {
    const { freeBytes } = yield* Effect.promise(() => import("../store/disk.ts"))
    const root = path.resolve(state)
    const machine = [inspectNode(process.versions.node), inspectDisk(root, freeBytes(root))]
    const findings = [...machine, ...(yield* inspectState(root))]
    const failures = findings.filter(({ level }) => level === "fail").length
    const warnings = findings.filter(({ level }) => level === "warn").length
    return {
      json: { ok: failures === 0, failures, warnings, findings },
      text: doctorText(findings, failures, warnings),
      exitCode: failures === 0 ? exitCodes.done : exitCodes.failed
    } satisfies Said
  })
)

/** `version` as `process.versions.node` has it. */
export const inspectNode = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const finding = { subject: "Node", text: version }
  if (major >= 24) return { ...finding, level: "ok", remedy: null }
  const isOldEnough = major > 22 || (major === 22 && minor >= 19)
  const remedy = "npm i -D node@24"
  return isOldEnough
    ? { ...finding, level: "warn", text: `${version} works; 24 is preferred`, remedy }
    : { ...finding, level: "fail", text: `${version} is older than 22.19`, remedy }
}

/** `free` in bytes. */
export const inspectDisk = (root: string, free: number): Finding => {
  const finding = { subject: "disk", text: `${formatBytes(free)} free for ${root}` }
  if (free >= freeBytesLow) return { ...finding, level: "ok", remedy: null }
  return {
    ...finding,
    level: free >= freeBytesTooLow ? "warn" : "fail",
    remedy: "make room, or choose another folder with --state DIR; `runtime plan JOB` says what a run needs"
  }
}

const inspectState = Effect.fnUntraced(function* (root: string) {
  const found = (level: Finding["level"], text: string, remedy: string | null): ReadonlyArray<Finding> => [
    { subject: "state", level, text, remedy }
  ]
  if (!existsSync(root)) return found("ok", `${root} isn't there yet: the first run makes it`, null)
  const runs = path.join(root, "runs")
  const hasRuns = existsSync(runs) && readdirSync(runs).length > 0
  // Looked for before the folder is opened, which would make a new one.
  if (hasRuns && !existsSync(path.join(root, "state.key"))) {
    return found(
      "fail",
      `${root} has runs and no state.key: their items' ids can't be worked out again`,
      "restore state.key from a backup; a new key gives new ids, and lineage across runs is lost"
    )
  }
  if (!isWritable(root)) return found("fail", `${root} can't be written`, `give this user write access: chmod u+rwx ${root}`)
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  return yield* openStateFolder(root).pipe(
    Effect.flatMap(inspectFolder),
    Effect.catchTag("StoreError", (error) => Effect.succeed(found("fail", error.message, `check who owns ${root}`)))
  )
})

const inspectFolder = Effect.fnUntraced(function* (folder: Parameters<typeof import("../store/inspect-runs.ts").inspectRuns>[0]) {
  const { inspectClock, inspectLeftovers, inspectPermissions } = yield* Effect.promise(() => import("../store/inspect-files.ts"))
  const { inspectControl, inspectRuns } = yield* Effect.promise(() => import("../store/inspect-runs.ts"))
  const { inspectAnalytics } = yield* Effect.promise(() => import("../store/inspect-analytics.ts"))
  const control = yield* inspectControl(folder)
  const runs = yield* inspectRuns(folder)
  const clock = inspectClock(folder, yield* Clock.currentTimeMillis)
  return [
    ...inspectPermissions(folder),
    control,
    ...runs.findings,
    ...inspectLeftovers(folder, runs.held),
    clock,
    ...(yield* inspectAnalytics(folder))
  ]
})

const isWritable = (folder: string): boolean => {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

const doctorText = (findings: ReadonlyArray<Finding>, failures: number, warnings: number): string => {
  const width = Math.max(...findings.map(({ subject }) => subject.length))
  const lines = findings.map(
    ({ subject, level, text, remedy }) =>
      `${level.padEnd(4)}  ${subject.padEnd(width)}  ${text}${remedy === null ? "" : `\n${" ".repeat(width + 8)}→ ${remedy}`}`
  )
  const count = (of: number, what: string): string => `${of} ${what}${of === 1 ? "" : "s"}`
  return `${lines.join("\n")}\n\n${failures + warnings === 0 ? "All is well." : `${count(failures, "failure")}, ${count(warnings, "warning")}.`}`
}
