/** Scenes for the contract of ledgers: each has a run's files of its own. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { LedgerShape } from "../../runtime/store/ledger.ts"
import type { StoreError } from "../../runtime/store/store-error.ts"
import { twoEnds } from "./ledger-run.ts"
import type { LedgerStore } from "./ledger-store.ts"

type Scene = Effect.Effect<void, StoreError, Scope.Scope>
type Step = Effect.Effect<unknown, StoreError, Scope.Scope>

export interface LedgerScenes {
  readonly name: string
  /** A test on a run's files. */
  readonly scene: (test: (store: LedgerStore) => Generator<Step, void, never>) => () => Scene
  /** One process's work: everything closes at its end. */
  readonly session: <A>(store: LedgerStore, work: (ledger: LedgerShape) => Effect.Effect<A, StoreError>) => Effect.Effect<A, StoreError>
  /** A test within one process. */
  readonly within: (test: (ledger: LedgerShape, store: LedgerStore) => Generator<Step, void, never>) => () => Scene
}

export const scenesOf = (name: string, makeStore: Effect.Effect<LedgerStore, StoreError, Scope.Scope>): LedgerScenes => ({
  name,
  scene: (test) => () => Effect.flatMap(makeStore, (store) => Effect.gen(() => test(store))),
  session: (store, work) => Effect.scoped(Effect.flatMap(store.open(twoEnds), work)),
  within: (test) => () =>
    Effect.flatMap(makeStore, (store) => Effect.flatMap(store.open(twoEnds), (ledger) => Effect.gen(() => test(ledger, store))))
})
