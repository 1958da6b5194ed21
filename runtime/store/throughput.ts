/** How fast a job's last finished run went. */
import * as path from "node:path"

import type * as Effect from "effect/Effect"

import { readMeasured, writeMeasured } from "./measured-file.ts"
import type { StoreError } from "./store-error.ts"

const fileOf = (root: string, job: string): string => path.join(root, "throughput", job)

/** One worker's items per minute; null where no run has measured it. `root` is the state folder, which need not exist. */
export const readThroughput = (root: string, job: string): Effect.Effect<number | null> =>
  readMeasured(fileOf(root, job), (text) => {
    const measured = Number(text)
    return measured > 0 && Number.isFinite(measured) ? measured : null
  })

export const writeThroughput = (root: string, job: string, itemsPerMinute: number): Effect.Effect<void, StoreError> =>
  writeMeasured(fileOf(root, job), itemsPerMinute.toFixed(3))
