/** What a job's last finished run used, a model: the next estimate rests on it. */
import * as path from "node:path"

import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { readMeasured, writeMeasured } from "./measured-file.ts"
import type { StoreError } from "./store-error.ts"

const MeasuredUsage = Schema.Struct({
  /** Of the run's manifest. */
  items: Schema.Finite,
  steps: Schema.Array(
    Schema.Struct({
      step: Schema.String,
      model: Schema.String,
      /** Requests that got an answer, be it an equal one's. */
      asked: Schema.Finite,
      /** Requests that were sent and answered: what the tokens are of. */
      calls: Schema.Finite,
      inputTokens: Schema.Finite,
      /** Of the input tokens: read from the provider's cache, and written to it. */
      cacheReadTokens: Schema.Finite,
      cacheWriteTokens: Schema.Finite,
      outputTokens: Schema.Finite
    })
  )
})
export type MeasuredUsage = typeof MeasuredUsage.Type

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(MeasuredUsage))

const fileOf = (root: string, job: string): string => path.join(root, "usage", `${job}.json`)

/** Null where no run has measured it. `root` is the state folder, which need not exist. */
export const readMeasuredUsage = (root: string, job: string): Effect.Effect<MeasuredUsage | null> => readMeasured(fileOf(root, job), decode)

export const writeMeasuredUsage = (root: string, job: string, usage: MeasuredUsage): Effect.Effect<void, StoreError> =>
  writeMeasured(fileOf(root, job), JSON.stringify(usage))
