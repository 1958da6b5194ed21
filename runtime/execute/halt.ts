/** Why a run takes no further items: what is in flight ends, then the run stops where a person can act. */
import type { ProviderError } from "../provider/provider-error.ts"

/** `account`: no call of it can succeed until somebody acts. `budget`: the next call doesn't fit what is left. */
export type HaltReason =
  | { readonly kind: "account"; readonly error: ProviderError }
  | { readonly kind: "budget"; readonly neededUsd: number }

/** One a pass: the first reason stands, and an account's fault outranks the budget. */
export class Halt {
  #reason: HaltReason | null = null

  get reason(): HaltReason | null {
    return this.#reason
  }

  raise(reason: HaltReason): void {
    if (this.#reason === null || (this.#reason.kind === "budget" && reason.kind === "account")) this.#reason = reason
  }

  /** A batch that ended may have freed money: the pass after it tries again. */
  liftBudget(): void {
    if (this.#reason?.kind === "budget") this.#reason = null
  }
}
