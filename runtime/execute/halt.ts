/** Why a run takes no further items: what is in flight ends, then the run stops where a person can act. */
import type { ProviderError } from "../provider/provider-error.ts"

/**
 * `account`: no call of it can succeed until somebody acts. `budget`: the next call doesn't fit what is left. `closed`: the account takes no
 * call before an instant (epoch ms) that lies behind the run's deadline.
 */
export type HaltReason =
  | { readonly kind: "account"; readonly error: ProviderError }
  | { readonly kind: "budget"; readonly neededUsd: number }
  | { readonly kind: "closed"; readonly account: string; readonly until: number }

/** One a pass: the first reason stands, and an account's fault outranks the budget. */
export class Halt {
  #reason: HaltReason | null = null
  #closed: Extract<HaltReason, { readonly kind: "closed" }> | null = null

  get reason(): HaltReason | null {
    return this.#reason
  }

  raise(reason: HaltReason): void {
    if (this.#reason === null || (this.#reason.kind !== "account" && reason.kind === "account")) this.#reason = reason
  }

  /** Items of an account are left open while it is closed. Those of others go on, so this halts only once nothing else can be done. */
  noteClosed(account: string, until: number): void {
    if (this.#closed === null || until > this.#closed.until) this.#closed = { kind: "closed", account, until }
  }

  /** Nothing else can be done: what was left open stays so. */
  raiseClosed(): void {
    if (this.#closed !== null) this.raise(this.#closed)
  }

  /** A batch that ended may have freed money: the pass after it tries again. */
  liftBudget(): void {
    if (this.#reason?.kind === "budget") this.#reason = null
  }
}
