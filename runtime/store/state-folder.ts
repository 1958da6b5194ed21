/** The state folder: where everything stands, and the key that hides item keys. */
import { createHmac, createSecretKey, randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"

import { storeError, type StoreError } from "./store-error.ts"

/** Paths of one state folder; all absolute. */
export interface StateFolder {
  readonly root: string
  readonly control: string
  readonly analytics: string
  readonly runs: string
  readonly run: (run: string) => RunFolder
  /** A keyed hash of an author's item key, 32 bytes: the same in every run of this folder. */
  readonly hashKey: (key: string) => Buffer
}

export interface RunFolder {
  readonly root: string
  readonly state: string
  readonly payload: string
  /** Deleted when the manifest is sealed. */
  readonly staging: string
  readonly temp: string
  /** Requests on their way into providers' batches. */
  readonly spool: string
  /** Who works on the run, for people and `cancel`; the lock itself is DuckDB's. */
  readonly holder: string
  /** A snapshot for `status` while the state file is held. */
  readonly progress: string
  /** Written by `cancel` before it signals. */
  readonly cancel: string
  /** Sessions that job code ended, and what is known of it; deleted when the run is done. */
  readonly crashes: string
  /** Items in job code now. */
  readonly flights: string
  readonly report: string
  /** Where its accounts and keys are looked up. */
  readonly accounts: string
  /** Of a linked run: the items it takes up again, until its manifest is sealed. Payload. */
  readonly linked: string
  /** Texts of decisions about its items. Payload: retention unlinks it too. */
  readonly notes: string
  /** Releases that its linked runs made; open only while one of them closes. */
  readonly revisions: string
}

/** Opens the folder, creating it (owner only) with a fresh key when it isn't there. */
export const openStateFolder = (root: string): Effect.Effect<StateFolder, StoreError> =>
  Effect.try({ try: () => prepare(path.resolve(root)), catch: (cause) => storeError(path.resolve(root), cause) })

const prepare = (root: string): StateFolder => {
  // Asked first: on a read-only file system, making folders fails as if their parent weren't there.
  fs.accessSync(nearestFolder(root), fs.constants.W_OK)
  // Others may pass through to analytics/, which has its own permissions, and see nothing else.
  fs.mkdirSync(root, { recursive: true, mode: 0o711 })
  fs.mkdirSync(path.join(root, "runs"), { recursive: true, mode: 0o700 })
  fs.mkdirSync(path.join(root, "analytics"), { recursive: true })
  fs.accessSync(path.join(root, "runs"), fs.constants.W_OK)
  // A key object is made once: from bytes, every hash would pay 14 µs to make one.
  const key = createSecretKey(readKey(path.join(root, "state.key")))
  return {
    root,
    control: path.join(root, "control.duckdb"),
    analytics: path.join(root, "analytics"),
    runs: path.join(root, "runs"),
    run: (run) => runFolder(path.join(root, "runs", run)),
    hashKey: (itemKey) => createHmac("sha256", key).update(itemKey).digest()
  }
}

const nearestFolder = (folder: string): string => (fs.existsSync(folder) ? folder : nearestFolder(path.dirname(folder)))

/** Two first commands at once agree on one key: `wx` lets only one of them create it. */
const readKey = (file: string): Buffer => {
  try {
    fs.writeFileSync(file, randomBytes(32), { mode: 0o600, flag: "wx", flush: true })
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
  }
  const key = fs.readFileSync(file)
  if (key.length !== 32) throw new Error(`EIO: ${file} holds ${key.length} bytes instead of a key of 32`)
  return key
}

const runFolder = (root: string): RunFolder => ({
  root,
  state: path.join(root, "state.duckdb"),
  payload: path.join(root, "payload.duckdb"),
  staging: path.join(root, "staging.duckdb"),
  temp: path.join(root, "temp"),
  spool: path.join(root, "spool"),
  holder: path.join(root, "holder.json"),
  progress: path.join(root, "progress.json"),
  cancel: path.join(root, "cancel"),
  crashes: path.join(root, "crashes.jsonl"),
  flights: path.join(root, "in-flight"),
  report: path.join(root, "report.html"),
  accounts: path.join(root, "accounts.json"),
  linked: path.join(root, "linked.duckdb"),
  notes: path.join(root, "notes.jsonl"),
  revisions: path.join(root, "revisions.duckdb")
})

/** A DuckDB file and the logs that a kill can leave beside it. */
export const filesOf = (file: string): ReadonlyArray<string> => [file, `${file}.wal`, `${file}.wal.checkpoint`, `${file}.wal.recovery`]

/** What an item is called outside the payload: the first 96 bits of its hash, as 24 hex digits. */
export const itemIdOf = (hash: Buffer): string => hash.toString("hex", 0, 12)

/** Creates the folder of a run, the owner's alone. */
export const makeRunFolder = (folder: RunFolder): Effect.Effect<void, StoreError> =>
  Effect.try({
    // Not `recursive`: on a disk that can't be written that says "no such file".
    try: () => {
      if (!fs.existsSync(folder.root)) fs.mkdirSync(folder.root, { mode: 0o700 })
    },
    catch: (cause) => storeError(folder.root, cause)
  })

/** Replaces a small file at once: a reader sees the old text or the new one. */
export const replaceFile = (file: string, text: string): Effect.Effect<void, StoreError> =>
  Effect.try({
    try: () => {
      try {
        fs.writeFileSync(`${file}.new`, text, { mode: 0o600 })
        fs.renameSync(`${file}.new`, file)
      } catch (cause) {
        fs.rmSync(`${file}.new`, { force: true })
        throw cause
      }
    },
    catch: (cause) => storeError(file, cause)
  })

/** As `replaceFile`, and where the disk is full over the old text, which has its place already: a reader may then see half of each. */
export const refreshFile = (file: string, text: string): Effect.Effect<void, StoreError> =>
  Effect.catchIf(
    replaceFile(file, text),
    ({ reason }) => reason === "full",
    () => Effect.try({ try: () => overwrite(file, text), catch: (cause) => storeError(file, cause) })
  )

const overwrite = (file: string, text: string): void => {
  const open = fs.openSync(file, "r+")
  try {
    fs.ftruncateSync(open, fs.writeSync(open, text, 0))
  } finally {
    fs.closeSync(open)
  }
}

/** Removes files, whether they are there or not. */
export const removeFiles = (...files: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.sync(() => files.forEach((file) => fs.rmSync(file, { recursive: true, force: true })))
