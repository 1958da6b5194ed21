/** Where a ledger under test keeps a run: on disk or in memory, with the same ways to crash. */
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { Plan } from "../../dsl/index.ts"
import { openDuckLedger, type DuckLedger } from "../../runtime/store/ledger-duckdb.ts"
import { MemoryLedger } from "../../runtime/store/ledger-memory.ts"
import type { LedgerShape, StagedRejection } from "../../runtime/store/ledger.ts"
import { MemoryDisk } from "../../runtime/store/memory-disk.ts"
import { openStateFolder, type RunFolder, type StateFolder } from "../../runtime/store/state-folder.ts"
import type { StoreError } from "../../runtime/store/store-error.ts"

export interface LedgerStore<L extends LedgerShape = LedgerShape> {
  /** A process of its own on what the last one left; ends with the scope. */
  readonly open: (plan: Plan) => Effect.Effect<L, StoreError, Scope.Scope>
  /** Ends `ledger`'s process as a kill does: what isn't committed is lost. */
  readonly crash: (ledger: L) => Effect.Effect<void>
  /** Does `work` and ends the process within its commit, when the payload's half is durable and the state's isn't. */
  readonly crashHalfway: (ledger: L, work: Effect.Effect<void, StoreError>) => Effect.Effect<void, StoreError>
  readonly rejections: (ledger: L) => Effect.Effect<ReadonlyArray<StagedRejection>, StoreError>
  readonly summaries: (ledger: L) => Effect.Effect<Readonly<Record<string, string>>, StoreError>
}

/** Hides keys as a state folder does; one for all, so that two stores lay out alike. */
const stateFolder: Effect.Effect<StateFolder, StoreError, Scope.Scope> = Effect.flatMap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "nightshift-ledger-"))),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  ),
  openStateFolder
)

/** A kill leaves the files as they are at that moment: so a copy of them is what the next process finds. */
export const duckStore: Effect.Effect<LedgerStore<DuckLedger>, StoreError, Scope.Scope> = Effect.map(stateFolder, (folder) => {
  let crashes = 0
  const folderOf = (): RunFolder => folder.run(`run-${crashes}`)
  const copy = (name: "state" | "payload" | "", from: RunFolder, to: RunFolder): void =>
    cpSync(from.root, to.root, { recursive: true, filter: (file) => file === from.root || basename(file).startsWith(name) })
  return {
    open: (plan) => Effect.suspend(() => openDuckLedger({ folder: folderOf(), plan, hashKey: folder.hashKey })),
    crash: () => Effect.sync(() => copy("", folderOf(), folder.run(`run-${++crashes}`))),
    crashHalfway: (_, work) =>
      Effect.gen(function* () {
        const from = folderOf()
        const to = folder.run(`run-${++crashes}`)
        copy("state", from, to)
        yield* work
        copy("payload", from, to)
      }),
    rejections: ({ duck }) =>
      duck.use("reading rejections", (db) =>
        db
          .selectFrom("state.rejections as rejection")
          .innerJoin("payload.rejected_rows as row", "row.rejection", "rejection.rejection")
          .select(["code", "item_key as key", "reason", "excerpt", "file", "line"])
          .orderBy("rejection.rejection")
          .execute()
      ),
    summaries: ({ duck }) =>
      duck.use("reading summaries", async (db) => {
        const rows = await db.selectFrom("payload.summaries").selectAll().execute()
        return Object.fromEntries(rows.map(({ step, summary }) => [step, summary]))
      })
  }
})

export const memoryStore: Effect.Effect<LedgerStore<MemoryLedger>, StoreError, Scope.Scope> = Effect.map(stateFolder, ({ hashKey }) => {
  let disk = new MemoryDisk()
  let killInState = false
  const fault = (_: number, half: "payload" | "state") => (killInState && half === "state" ? ("kill" as const) : null)
  return {
    open: (plan) => Effect.suspend(() => MemoryLedger.open({ plan, hashKey, disk, fault })),
    crash: (ledger) => Effect.sync(() => void (disk = ledger.crash())),
    crashHalfway: (ledger, work) =>
      Effect.gen(function* () {
        killInState = true
        yield* Effect.flip(work)
        killInState = false
        disk = ledger.crash()
      }).pipe(Effect.catch(() => Effect.die(new Error("the kill did not come")))),
    rejections: () => Effect.sync(() => disk.rejections),
    summaries: () => Effect.sync(() => Object.fromEntries(disk.summaries))
  }
})
