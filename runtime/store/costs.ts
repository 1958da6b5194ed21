/** What attempts came to, added up. */
import type { AttemptRecord } from "./ledger.ts"

/** What durable attempts came to. */
export interface Costs {
  readonly spentUsd: number
  /** Calls that were sent. */
  readonly calls: number
  /** Answers of equal inputs used again. */
  readonly reused: number
  readonly cacheReadTokens: number
  /** What the batch tier, providers' caches and reuse took off the full price. */
  readonly savedUsd: number
}

/** Of a run that sent nothing. */
export const noCosts: Costs = { spentUsd: 0, calls: 0, reused: 0, cacheReadTokens: 0, savedUsd: 0 }

/** Adds what two parts of a run came to. */
export const addCosts = (a: Costs, b: Costs): Costs => ({
  spentUsd: a.spentUsd + b.spentUsd,
  calls: a.calls + b.calls,
  reused: a.reused + b.reused,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  savedUsd: a.savedUsd + b.savedUsd
})

/** What some attempts came to. */
export const costsOf = (attempts: ReadonlyArray<AttemptRecord>): Costs =>
  attempts.reduce(
    (sum, { costUsd, tier, cacheReadTokens, savedUsd }) =>
      addCosts(sum, {
        spentUsd: costUsd ?? 0,
        calls: tier === "reused" ? 0 : 1,
        reused: tier === "reused" ? 1 : 0,
        cacheReadTokens,
        savedUsd: savedUsd ?? 0
      }),
    noCosts
  )

/** Whether durable attempts tell of all that a session's calls drew: sums of doubles differ by their order, by less than a billionth. */
export const isAccountedFor = (drawnUsd: number, paidUsd: number): boolean => drawnUsd - paidUsd <= 1e-9 * Math.max(1, drawnUsd)
