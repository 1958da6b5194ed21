/** Mends a write-ahead log whose last frame was cut by a kill or a full disk. */
import { copyFileSync, readFileSync, truncateSync } from "node:fs"

import * as Effect from "effect/Effect"

import { storeError, type StoreError } from "./store-error.ts"

/**
 * Keeps a copy beside the log (`.wal.torn`) and cuts it after the last whole frame. Only a commit that was never acknowledged can
 * stand in a torn frame. Source: DuckDB's `write_ahead_log.cpp`: after a version entry, each entry is size, checksum, payload.
 */
export const mendWal = (path: string): Effect.Effect<void, StoreError> =>
  Effect.try({
    try: () => {
      const log = `${path}.wal`
      const bytes = readFileSync(log)
      const end = lastWholeFrame(bytes)
      if (end === bytes.length) return
      copyFileSync(log, `${log}.torn`)
      truncateSync(log, end)
    },
    catch: (cause) => storeError(`${path}.wal`, cause)
  })

/** The first entry carries no frame header; its length is found by trying the frame chain from each early offset. */
const lastWholeFrame = (bytes: Buffer): number => {
  let best = 0
  for (let start = 0; start < Math.min(bytes.length, headerBytesMax); start++) best = Math.max(best, chainEnd(bytes, start))
  return best
}

const headerBytesMax = 128

/** Follows frames from `start`; the end of the last that is whole. A chain counts only if it gets further than one frame's header. */
const chainEnd = (bytes: Buffer, start: number): number => {
  let at = start
  let frames = 0
  while (at + 16 <= bytes.length) {
    const size = bytes.readBigUInt64LE(at)
    if (size === 0n || size > BigInt(bytes.length - at - 16)) break
    at += 16 + Number(size)
    frames++
  }
  return frames > 0 ? at : 0
}
