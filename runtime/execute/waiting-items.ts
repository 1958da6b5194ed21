/** Open items of a run that nobody works on yet, and when they may be through: what a projection of its end must know beside the pace. */
import * as Effect from "effect/Effect"

import type { Waiting } from "../guard/sla.ts"
import type { LedgerShape } from "../store/ledger.ts"
import { isAtProvider } from "../store/read-open-batches.ts"
import type { RetryQueue } from "./retry-queue.ts"

/** Providers promise a batch within a day; most are done within the hour. */
const batchMsUsual = 3_600_000
const batchMsMax = 86_400_000

/** Never fails: what can't be read now is known at the next look. */
export const waitingItems = (
  ledger: Pick<LedgerShape, "batches">,
  retries: RetryQueue,
  hasBatches: boolean,
  now: number
): Effect.Effect<ReadonlyArray<Waiting>> => {
  const due = retries.lastDueAt
  const queued = due === null ? [] : [{ items: retries.size, low: due, at: due, high: due, isWorked: true }]
  if (!hasBatches) return Effect.succeed(queued)
  return Effect.map(
    Effect.orElseSucceed(ledger.batches.all, () => []),
    (batches) => [
      ...queued,
      ...batches.filter(isAtProvider).map(({ requests, intendedAt }) => {
        const since = intendedAt.getTime()
        // One that takes longer than usual takes a while longer still.
        const at = Math.max(since + batchMsUsual, now + (now - since) / 10)
        return { items: requests, low: now, at, high: Math.max(at, since + batchMsMax), isWorked: false }
      })
    ]
  )
}
