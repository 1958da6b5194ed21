/** What a job's last finished run measured. A small file of its own, so that `plan` needn't open a database for one number. */
import { mkdirSync, readFileSync } from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"

import { replaceFile } from "./state-folder.ts"
import { storeError, type StoreError } from "./store-error.ts"

const fileOf = (root: string, job: string): string => path.join(root, "throughput", job)

/** One worker's items per minute; null where no run has measured it. `root` is the state folder, which need not exist. */
export const readThroughput = (root: string, job: string): Effect.Effect<number | null> =>
  Effect.sync(() => {
    try {
      const measured = Number(readFileSync(fileOf(root, job), "utf8"))
      return measured > 0 && Number.isFinite(measured) ? measured : null
    } catch {
      // Derived: a file that can't be read is measured again by the next run.
      return null
    }
  })

export const writeThroughput = (root: string, job: string, itemsPerMinute: number): Effect.Effect<void, StoreError> =>
  Effect.andThen(
    Effect.try({
      try: () => void mkdirSync(path.join(root, "throughput"), { recursive: true }),
      catch: (cause) => storeError(fileOf(root, job), cause)
    }),
    replaceFile(fileOf(root, job), itemsPerMinute.toFixed(3))
  )
