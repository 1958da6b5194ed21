/** What is known of sessions of a run that job code ended: read by the next session, so that one item can't end them all. No personal data. */
import * as fs from "node:fs"

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { onDisk } from "./durable-file.ts"
import { readFlights } from "./flight-journal.ts"
import { removeFiles, type RunFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

const Session = {
  session: Schema.Int,
  /** Another version of the job's code is given another chance. */
  codeVersion: Schema.String
}

/** One line of the log. `blocked`: job code held the thread, and which of the items in it did is not known. */
const CrashLine = Schema.Union([
  Schema.Struct({
    ...Session,
    kind: Schema.Literals(["hung", "exited"]),
    seq: Schema.NullOr(Schema.Int),
    step: Schema.String,
    callback: Schema.String
  }),
  Schema.Struct({ ...Session, kind: Schema.Literal("blocked") }),
  Schema.Struct({ ...Session, kind: Schema.Literal("crashed"), inFlight: Schema.Array(Schema.Int) })
])
export type CrashLine = typeof CrashLine.Type

const decodeLine = Schema.decodeUnknownOption(Schema.fromJsonString(CrashLine))

/** An item that isn't begun again: what it did, and where, if that is known. */
export interface Condemned {
  readonly code: "hung" | "crashed"
  /** Null where only the item is known. */
  readonly step: string | null
  readonly callback: string | null
}

export interface Suspicions {
  readonly condemned: ReadonlyMap<number, Condemned>
  /** Items that were in job code at two crashes: each is to run alone. */
  readonly suspects: ReadonlyArray<number>
}

/** The crash after which an item that was in flight at all of them is given up: at the last one it had run alone. */
const crashesMax = 3

/** Adds what the last session left in its journal, and says whom that speaks against. */
export const readSuspicions = Effect.fn("Store.readSuspicions")(function* (
  folder: RunFolder,
  codeVersion: string
): Effect.fn.Return<Suspicions, StoreError> {
  const lines = yield* onDisk(folder.crashes, () => readLines(folder.crashes))
  const left = yield* onDisk(folder.flights, () => readFlights(folder.flights))
  // Where the culprit is known, the others are innocent; one session crashes once.
  const isTold = left !== null && lines.some(({ session, kind }) => session === left.session && kind !== "blocked")
  if (left !== null && !isTold && left.inFlight.length > 0) {
    const line: CrashLine = { kind: "crashed", ...left }
    yield* onDisk(folder.crashes, () => appendLine(folder.crashes, line))
    lines.push(line)
  }
  yield* removeFiles(folder.flights)
  return suspicionsOf(lines.filter((line) => line.codeVersion === codeVersion))
})

const suspicionsOf = (lines: ReadonlyArray<CrashLine>): Suspicions => {
  const condemned = new Map<number, Condemned>()
  const blocked = new Set(lines.flatMap(({ kind, session }) => (kind === "blocked" ? [session] : [])))
  const crashes = lines.filter((line) => line.kind === "crashed")
  for (const line of lines) {
    if (line.kind !== "hung" && line.kind !== "exited") continue
    const { kind, seq, step, callback } = line
    if (seq !== null) condemned.set(seq, { code: kind === "hung" ? "hung" : "crashed", step, callback })
  }
  for (const [seq, sessions] of sessionsOf(crashes)) {
    const code = sessions.some((session) => blocked.has(session)) ? "hung" : "crashed"
    if (sessions.length >= crashesMax) condemned.set(seq, { code, step: null, callback: null })
  }
  // A crash whose culprit is known speaks against nobody else.
  const unexplained = crashes.filter(({ inFlight }) => !inFlight.some((seq) => condemned.has(seq)))
  const suspects = [...sessionsOf(unexplained)].flatMap(([seq, sessions]) => (sessions.length === crashesMax - 1 ? [seq] : []))
  return { condemned, suspects }
}

/** The sessions that each item was in flight at the end of. */
const sessionsOf = (crashes: ReadonlyArray<Extract<CrashLine, { kind: "crashed" }>>): ReadonlyMap<number, ReadonlyArray<number>> => {
  const sessions = new Map<number, Array<number>>()
  for (const { session, inFlight } of crashes) for (const seq of inFlight) sessions.set(seq, [...(sessions.get(seq) ?? []), session])
  return sessions
}

/** Durable when it returns; for the moment before a process ends, so it is not an Effect. */
export const appendLine = (file: string, line: CrashLine): void =>
  fs.appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600, flush: true })

const readLines = (file: string): Array<CrashLine> => {
  if (!fs.existsSync(file)) return []
  // A line that a kill cut short says nothing.
  return fs
    .readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => Option.toArray(decodeLine(line)))
}
