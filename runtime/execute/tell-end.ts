/** The last of a run: what comes after it was closed, and may be cut off by a kill like anything else. */
import { existsSync } from "node:fs"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Plan } from "../../dsl/index.ts"
import { noteHolder } from "../store/holder.ts"
import { openDuckLedger } from "../store/ledger-duckdb.ts"
import { publish } from "../store/publish.ts"
import type { RunFolder, StateFolder } from "../store/state-folder.ts"

/** Whether a closed run's process died before analysts were shown its end, or before its report was written. */
export const isEndUntold = (folder: RunFolder): boolean => existsSync(folder.holder) || !existsSync(folder.report)

/** Publishes what a closed run has left to publish: without that, released outputs are there and no view shows them. */
export const publishEnd = Effect.fn("Run.publishEnd")(function* (
  folder: StateFolder,
  { run, plan, command }: { readonly run: string; readonly plan: Plan; readonly command: string }
) {
  const files = folder.run(run)
  const ledger = yield* openDuckLedger({ folder: files, plan, hashKey: folder.hashKey })
  const startedAt = new Date(yield* Clock.currentTimeMillis).toISOString()
  yield* noteHolder(files, { pid: process.pid, startedAt, command })
  yield* publish(ledger, folder, run)
}, Effect.scoped)
