/** Where a ledger under test keeps a run: on disk or in memory, with the same ways to crash. */
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { Plan } from "../../dsl/index.ts"
import { decideGate, type Decision } from "../../runtime/store/decide-gate.ts"
import type { Duck } from "../../runtime/store/duck.ts"
import { openDuckLedger } from "../../runtime/store/ledger-duckdb.ts"
import { MemoryLedger } from "../../runtime/store/ledger-memory.ts"
import type { LedgerTables } from "../../runtime/store/ledger-tables.ts"
import type { LedgerShape, StagedRejection } from "../../runtime/store/ledger.ts"
import { MemoryDisk } from "../../runtime/store/memory-disk.ts"
import { openStateFolder, type RunFolder, type StateFolder } from "../../runtime/store/state-folder.ts"
import type { StoreError } from "../../runtime/store/store-error.ts"

/** One process at a time works on it: the one that opened it last. */
export interface LedgerStore {
  /** A further process, on what the last one left; it ends with the scope. */
  readonly open: (plan: Plan) => Effect.Effect<LedgerShape, StoreError, Scope.Scope>
  /** Ends the process as a kill does: what isn't committed is lost. */
  readonly crash: Effect.Effect<void>
  /** Does `work` and ends the process within its commit, when the payload's half is durable and the state's isn't. */
  readonly crashHalfway: (work: Effect.Effect<void, StoreError>) => Effect.Effect<void, StoreError>
  /** What a person says at a gate, between two processes. */
  readonly decide: (decision: Pick<Decision, "gate" | "decision" | "addUsd">) => Effect.Effect<void>
  readonly rejections: Effect.Effect<ReadonlyArray<StagedRejection>, StoreError>
  readonly summaries: Effect.Effect<Readonly<Record<string, string>>, StoreError>
}

const stateFolder: Effect.Effect<StateFolder, StoreError, Scope.Scope> = Effect.flatMap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "nightshift-ledger-"))),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  ),
  openStateFolder
)

/** A kill leaves the files as they are at that moment: so a copy of them is what the next process finds. */
const makeDuckStore = (folder: StateFolder): LedgerStore => {
  let crashes = 0
  let duck: Duck<LedgerTables> | null = null
  const folderOf = (): RunFolder => folder.run(`run-${crashes}`)
  const copy = (name: "state" | "payload" | "", from: RunFolder, to: RunFolder): void =>
    cpSync(from.root, to.root, { recursive: true, filter: (file) => file === from.root || basename(file).startsWith(name) })
  const using: Duck<LedgerTables>["use"] = (doing, query) =>
    Effect.suspend(() => (duck === null ? Effect.die(new Error("not opened")) : duck.use(doing, query)))
  return {
    open: (plan) =>
      Effect.tap(
        Effect.suspend(() => openDuckLedger({ folder: folderOf(), plan, hashKey: folder.hashKey })),
        (ledger) => Effect.sync(() => (duck = ledger.duck))
      ),
    crash: Effect.sync(() => copy("", folderOf(), folder.run(`run-${++crashes}`))),
    crashHalfway: Effect.fnUntraced(function* (work: Effect.Effect<void, StoreError>) {
      const from = folderOf()
      const to = folder.run(`run-${++crashes}`)
      copy("state", from, to)
      yield* work
      copy("payload", from, to)
    }),
    // A gate names its run, and here a run's folder is named after the kills that it went through.
    decide: (decision) =>
      Effect.asVoid(Effect.orDie(decideGate({ ...folder, run: () => folderOf() }, { ...decision, by: "somebody", note: null }))),
    rejections: using("reading rejections", (db) =>
      db
        .selectFrom("state.rejections as rejection")
        .innerJoin("payload.rejected_rows as row", "row.rejection", "rejection.rejection")
        .select(["code", "item_key as key", "reason", "excerpt", "file", "line"])
        .orderBy("rejection.rejection")
        .execute()
    ),
    summaries: Effect.map(
      using("reading summaries", (db) => db.selectFrom("payload.summaries").selectAll().execute()),
      (rows) => Object.fromEntries(rows.map(({ step, summary }) => [step, summary]))
    )
  }
}

const makeMemoryStore = ({ hashKey }: StateFolder): LedgerStore => {
  let disk = new MemoryDisk()
  let ledger: MemoryLedger | null = null
  let killInState = false
  const fault = (_: number, half: "payload" | "state") => (killInState && half === "state" ? "kill" : null)
  const crash = Effect.sync(() => {
    if (ledger !== null) disk = ledger.crash()
  })
  return {
    open: (plan) =>
      Effect.tap(
        Effect.suspend(() => MemoryLedger.open({ plan, hashKey, disk, fault })),
        (opened) => Effect.sync(() => (ledger = opened))
      ),
    crash,
    crashHalfway: Effect.fnUntraced(function* (work: Effect.Effect<void, StoreError>) {
      killInState = true
      yield* Effect.flip(work).pipe(
        Effect.mapError(() => new Error("the kill did not come")),
        Effect.orDie
      )
      killInState = false
      yield* crash
    }),
    decide: ({ gate, decision, addUsd }) =>
      Effect.sync(() => {
        disk.money.gates = disk.money.gates.map((each) => (each.gate === gate ? { ...each, decision, addUsd } : each))
      }),
    rejections: Effect.sync(() => disk.rejections),
    summaries: Effect.sync(() => Object.fromEntries(disk.summaries))
  }
}

export const duckStore: Effect.Effect<LedgerStore, StoreError, Scope.Scope> = Effect.map(stateFolder, makeDuckStore)
export const memoryStore: Effect.Effect<LedgerStore, StoreError, Scope.Scope> = Effect.map(stateFolder, makeMemoryStore)

/** One of each, which hide keys alike and so lay out alike. */
export const bothStores = Effect.map(stateFolder, (folder) => ({ duck: makeDuckStore(folder), memory: makeMemoryStore(folder) }))
