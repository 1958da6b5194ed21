/** A run's open files, and what the parts of its ledger share. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { Plan } from "../../dsl/index.ts"
import type { CommitBatch } from "./commit-batch.ts"
import { noCosts } from "./costs.ts"
import type { Duck } from "./duck.ts"
import type { GroupCommit } from "./group-commit.ts"
import { noDispositions } from "./disposition.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { Patience } from "./patience.ts"
import type { PastRun } from "./read-step-rows.ts"
import type { RunFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

export interface DuckLedgerOptions {
  readonly folder: RunFolder
  readonly plan: Plan
  readonly hashKey: (key: string) => Buffer
  readonly memoryMb?: number
}

/** Serialises with all other writes to a run's files. */
export type Exclusively = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export class OpenRun {
  readonly options: DuckLedgerOptions
  readonly duck: Duck<LedgerTables>
  readonly exclusively: Exclusively
  readonly scope: Scope.Scope
  readonly patience: Patience
  /** Set by `begin`. */
  commits: GroupCommit<CommitBatch> | null = null
  session = 0
  /** Whether no earlier session committed anything. */
  isFresh = true
  before = { manifest: 0, dispositions: noDispositions, costs: noCosts }
  /** Of a linked run that closes: earlier runs with the same items, oldest first, whose answers count too. */
  past: ReadonlyArray<PastRun> = []
  /** Whether items may come with answers. */
  hasGiven = false
  /** Whether any request of the run is, or was, in a provider batch. */
  hasBatches = false

  constructor(options: DuckLedgerOptions, duck: Duck<LedgerTables>, exclusively: Exclusively, scope: Scope.Scope) {
    this.options = options
    this.duck = duck
    this.exclusively = exclusively
    this.scope = scope
    this.patience = new Patience((name) => exclusively(duck.reattach(name)))
  }

  readonly running = Effect.suspend(() =>
    this.commits === null ? Effect.die(new Error("The ledger has not begun a run")) : Effect.succeed(this.commits)
  )

  /** One short transaction, between two group commits. */
  transaction(doing: string, statement: string): Effect.Effect<void, StoreError> {
    const rollback = Effect.ignore(this.duck.run("rolling back", "rollback"))
    return this.exclusively(Effect.uninterruptible(Effect.tapError(this.duck.run(doing, "begin", statement, "commit"), () => rollback)))
  }
}
