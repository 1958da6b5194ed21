/** What every ledger promises. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { StoreError } from "../../runtime/store/store-error.ts"
import { answerContract } from "./answer-contract.ts"
import { commitContract } from "./commit-contract.ts"
import { scenesOf } from "./ledger-scenes.ts"
import type { LedgerStore } from "./ledger-store.ts"
import { manifestContract } from "./manifest-contract.ts"
import { moneyContract } from "./money-contract.ts"
import { sessionContract } from "./session-contract.ts"

/** Adds the contract's tests for one implementation. */
export const ledgerContract = (name: string, makeStore: Effect.Effect<LedgerStore, StoreError, Scope.Scope>): void => {
  const scenes = scenesOf(name, makeStore)
  manifestContract(scenes)
  sessionContract(scenes)
  commitContract(scenes)
  answerContract(scenes)
  moneyContract(scenes)
}
