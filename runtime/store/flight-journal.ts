/**
 * Which items are in the job's own code, in a file that outlives the process: one small write where an item begins, in place of the one before it.
 * It is not synced: what a lost machine had in flight is nobody's fault.
 */
import * as fs from "node:fs"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import { onDisk } from "./durable-file.ts"
import { removeFiles, type RunFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

const headerBytes = 512
const slotBytes = 4
/** Room for so many is there from the start: a full disk has it already. */
const slotsAtFirst = 896

interface JournalSession {
  readonly session: number
  readonly codeVersion: string
}

export class FlightJournal {
  readonly #file: number
  readonly #onCount: (items: number) => void
  readonly #slots = new Map<number, number>()
  readonly #free: Array<number> = []
  #used = 0
  readonly #slot = Buffer.alloc(slotBytes)

  constructor(file: number, onCount: (items: number) => void) {
    this.#file = file
    this.#onCount = onCount
  }

  /** The item is in job code from now on. About 3 µs. */
  enter(seq: number): void {
    if (this.#slots.has(seq)) return
    const slot = this.#free.pop() ?? this.#used++
    this.#slots.set(seq, slot)
    this.#write(slot, seq + 1)
    this.#onCount(this.#slots.size)
  }

  /** It waits for something else, or for another pass. */
  leave(seq: number): void {
    const slot = this.#release(seq)
    if (slot !== undefined) this.#write(slot, 0)
  }

  /** It is settled. Not written: the next item takes its place, and one that is settled is never begun again. */
  finish(seq: number): void {
    this.#release(seq)
  }

  #release(seq: number): number | undefined {
    const slot = this.#slots.get(seq)
    if (slot === undefined) return undefined
    this.#slots.delete(seq)
    this.#free.push(slot)
    this.#onCount(this.#slots.size)
    return slot
  }

  #write(slot: number, value: number): void {
    this.#slot.writeUInt32LE(value)
    try {
      fs.writeSync(this.#file, this.#slot, 0, slotBytes, headerBytes + slot * slotBytes)
    } catch {
      // A crash is then told of without this item; the work itself is not worse off.
    }
  }
}

/** Gone with the scope: only a process that ends without closing it leaves one. */
export const openFlightJournal = (
  { flights }: RunFolder,
  session: JournalSession,
  onCount: (items: number) => void
): Effect.Effect<FlightJournal, StoreError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      onDisk(flights, () => {
        const file = fs.openSync(flights, "w", 0o600)
        const header = JSON.stringify({ ...session, machine: machineSession() })
        fs.writeSync(file, header.padEnd(headerBytes) + "\0".repeat(slotsAtFirst * slotBytes))
        return file
      }),
      (file) =>
        Effect.andThen(
          Effect.sync(() => fs.closeSync(file)),
          removeFiles(flights)
        )
    ),
    (file) => new FlightJournal(file, onCount)
  )

/** What a session that ended without a word had in job code; null where none did, or where the machine went down with it. */
export const readFlights = (file: string): (JournalSession & { readonly inFlight: ReadonlyArray<number> }) | null => {
  if (!fs.existsSync(file)) return null
  const bytes = fs.readFileSync(file)
  const header = headerOf(bytes.toString("utf8", 0, headerBytes))
  if (header === null || header.machine !== machineSession()) return null
  const inFlight: Array<number> = []
  for (let at = headerBytes; at + slotBytes <= bytes.length; at += slotBytes) {
    const value = bytes.readUInt32LE(at)
    if (value > 0) inFlight.push(value - 1)
  }
  return { session: header.session, codeVersion: header.codeVersion, inFlight }
}

const headerOf = (text: string): (JournalSession & { readonly machine: string }) | null => {
  try {
    // Written whole by this module, or cut short and then no JSON.
    return JSON.parse(text) as JournalSession & { readonly machine: string }
  } catch {
    return null
  }
}

/** Differs after each start of the machine; empty where the system doesn't say. */
const machineSession = (): string => {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
  } catch {
    return ""
  }
}
