/** Settlements that one group commit makes durable together. */
import { addCosts, costsOf, noCosts } from "./costs.ts"
import { noDispositions } from "./disposition.ts"
import type { Settlement } from "./ledger.ts"
import type { Disposition } from "./state-tables.ts"

/** Counts what it takes; an implementation keeps the rows in its own form. */
export abstract class Batch {
  /** From 1 without gaps: what a kill left half-committed is known by it. */
  readonly number: number
  settlements = 0
  /** Of answers and texts, in characters. */
  bytes = 0
  costs = noCosts
  readonly finished: Record<Disposition, number> = { ...noDispositions }
  /** Set once the payload's half is durable: a repeated commit goes on with the state's half. */
  isPayloadDone = false
  /** How often its commit was tried. */
  tries = 0

  constructor(number: number) {
    this.number = number
  }

  add(settlement: Settlement): void {
    for (const { output, raw } of settlement.answers) this.bytes += output.length + (raw?.length ?? 0)
    for (const { message, raw } of settlement.problems) this.bytes += message.length + (raw?.length ?? 0)
    if (settlement.attempts.length > 0) this.costs = addCosts(this.costs, costsOf(settlement.attempts))
    if (settlement.finished !== null) this.finished[settlement.finished]++
    this.settlements++
    this.keep(settlement)
  }

  protected abstract keep(settlement: Settlement): void
}
