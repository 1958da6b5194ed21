/** Files that others read: written beside their place, made durable, and put there in one step. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"
import { CompiledQuery } from "kysely"

import { quoted } from "./duck.ts"
import { storeError, type StoreError } from "./store-error.ts"

/** Runs file operations; what they throw becomes a `StoreError` about `file`. */
export const onDisk = <A>(file: string, operations: () => A): Effect.Effect<A, StoreError> =>
  Effect.try({ try: operations, catch: (cause) => storeError(file, cause) })

/** Where a file is written before it has its name: no reader's `*.parquet` finds it. */
export const partOf = (file: string): string => path.join(path.dirname(file), `.${path.basename(file)}.part`)

let parts = 0

/** As `partOf`, of a file that several may be writing at once, in this process and others: the name ends in the pid, for whoever clears up. */
export const ownPartOf = (file: string): string => `${partOf(file)}-${++parts}.${process.pid}`

/** Gives a written part its name, durably. What stood there before is replaced. */
export const putInPlace = (part: string, file: string, mode: number): Effect.Effect<void, StoreError> =>
  onDisk(file, () => {
    makeDurable(part, mode)
    fs.renameSync(part, file)
    sync(path.dirname(file))
  })

/** As `putInPlace`, but a file that another process put there first stays, and this one goes. */
export const putIfAbsent = (part: string, file: string, mode: number): Effect.Effect<void, StoreError> =>
  onDisk(file, () => {
    makeDurable(part, mode)
    try {
      fs.linkSync(part, file)
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
    }
    fs.rmSync(part)
    sync(path.dirname(file))
  })

/** Writes a text that readers see whole or not at all. */
export const putText = (file: string, text: string, mode: number): Effect.Effect<void, StoreError> => {
  const part = ownPartOf(file)
  return Effect.andThen(
    onDisk(file, () => fs.writeFileSync(part, text)),
    putInPlace(part, file, mode)
  )
}

/** A Kysely, whatever its tables. */
export interface QueryRunner {
  readonly executeQuery: (query: CompiledQuery) => Promise<unknown>
}

/** Small row groups keep a writer's memory small: it holds one of every column. */
const parquet = "format parquet, compression zstd, row_group_size 20480"

/** Writes a query's rows as Parquet to `part`; of a failure no part is left. */
export const copyTo = (db: QueryRunner, part: string, query: string): Effect.Effect<void, StoreError> =>
  Effect.tryPromise({
    try: () => db.executeQuery(CompiledQuery.raw(`copy (${query}) to ${quoted(part)} (${parquet})`)),
    catch: (cause) => storeError(part, cause)
  }).pipe(
    Effect.tapError(() => Effect.sync(() => fs.rmSync(part, { force: true }))),
    Effect.asVoid
  )

/** Creates a folder with all above it; each new entry is durable in its parent. */
export const makeFolder = (folder: string, mode = 0o755): Effect.Effect<void, StoreError> =>
  onDisk(folder, () => {
    const first = fs.mkdirSync(folder, { recursive: true, mode })
    if (first === undefined) return
    for (let made = folder; made.length >= first.length; made = path.dirname(made)) sync(path.dirname(made))
  })

const makeDurable = (file: string, mode: number): void => {
  fs.chmodSync(file, mode)
  sync(file)
}

/** DuckDB's COPY doesn't fsync, and nothing else makes a rename durable. */
const sync = (file: string): void => {
  const handle = fs.openSync(file, "r")
  try {
    fs.fsyncSync(handle)
  } finally {
    fs.closeSync(handle)
  }
}
