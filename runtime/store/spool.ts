/** Files of requests on their way into a provider's batch: written once, sent, removed. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"

import type { RunFolder } from "./state-folder.ts"
import { storeError, type StoreError } from "./store-error.ts"

/** Lines are kept until there are this many characters of them: a write a line would cost more than the line. */
const bufferedMax = 1_000_000

/** One file that is being written. */
export class SpoolFile {
  readonly path: string
  readonly #file: number
  #buffered = ""
  requests = 0
  /** UTF-8, line breaks included. */
  bytes = 0

  constructor(file: string) {
    this.path = file
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    this.#file = fs.openSync(file, "w", 0o600)
  }

  /** Adds a line; throws what the disk throws. */
  add(line: string, bytes: number): void {
    this.#buffered += line
    this.#buffered += "\n"
    this.bytes += bytes + 1
    this.requests++
    if (this.#buffered.length >= bufferedMax) this.#write()
  }

  /** Everything is on the disk, and nothing is added any more. */
  seal(): void {
    this.#write()
    fs.fsyncSync(this.#file)
    fs.closeSync(this.#file)
  }

  #write(): void {
    const bytes = Buffer.from(this.#buffered)
    for (let at = 0; at < bytes.length;) at += fs.writeSync(this.#file, bytes, at)
    this.#buffered = ""
  }
}

/** Where the file of one provider batch stands. */
export const spoolPath = (folder: RunFolder, batch: number): string => path.join(folder.spool, `${batch}.jsonl`)

/** What a disk throws while spooling, as the run's own error. */
export const onSpool = <A>(file: string, work: () => A): Effect.Effect<A, StoreError> =>
  Effect.try({ try: work, catch: (cause) => storeError(file, cause) })

/** Removes spool files that nothing waits for: those of sessions that were cut off. */
export const clearSpool = (folder: RunFolder): Effect.Effect<void, StoreError> =>
  onSpool(folder.spool, () => fs.rmSync(folder.spool, { recursive: true, force: true }))
