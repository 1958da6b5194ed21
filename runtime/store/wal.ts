/** Mends a write-ahead log that ends in bytes which never reached the disk. */
import { copyFileSync, readFileSync, truncateSync } from "node:fs"

import * as Effect from "effect/Effect"

import { storeError, type StoreError } from "./store-error.ts"

/**
 * A kill or a full disk leaves a log that is cut short: DuckDB 1.5.6 opens each such log with every commit that was acknowledged. After
 * a power loss a file system may show a log that is longer than what was written; DuckDB refuses it by the first frame whose checksum
 * doesn't fit. That is where this cuts the log, after a copy to `.wal.torn`; DuckDB drops the rest of the half commit by itself. Fails
 * with `refusal`, and changes nothing, where a later commit shows that the damaged one was acknowledged: then a person must look.
 */
export const mendWal = Effect.fnUntraced(function* (path: string, refusal: StoreError): Effect.fn.Return<void, StoreError> {
  const log = `${path}.wal`
  const position = /Corrupt WAL file: entry at byte position (\d+)/.exec(refusal.detail)?.[1]
  if (position === undefined) return yield* refusal
  const end = Number(position) - frameHeaderBytes
  const bytes = yield* onLog(log, () => readFileSync(log))
  const commit = bytes.indexOf(commitFrame, end)
  if (commit >= 0 && commit + commitFrame.length < bytes.length) return yield* refusal
  yield* onLog(log, () => {
    copyFileSync(log, `${log}.torn`)
    truncateSync(log, end)
  })
  yield* Effect.logWarning(`${log} ended in bytes that were never written, as after a power loss. Cut them off; a copy is ${log}.torn.`)
})

/** Size and checksum, before what DuckDB gives as an entry's position. */
const frameHeaderBytes = 16

/** What ends each commit in a log: always the same 21 bytes (size, checksum, an entry of type 100 without fields). */
const commitFrame = Buffer.from("0500000000000000e7fe7d722fed3d5e640064ffff", "hex")

const onLog = <A>(log: string, work: () => A): Effect.Effect<A, StoreError> =>
  Effect.try({ try: work, catch: (cause) => storeError(log, cause) })
