/** Money and gates of a run in memory. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { canonicalJson, type Plan } from "../../dsl/index.ts"
import type { DiskBatches } from "./memory-batches.ts"
import { expiryOf, isOverdue } from "./gate-expiry.ts"
import type { GateRecord, LedgerShape } from "./ledger.ts"
import type { StoreError } from "./store-error.ts"

/** What a disk holds of money. */
export class DiskMoney {
  /** By session. */
  readonly grants = new Map<number, { grantedUsd: number; isSettled: boolean }>()
  gates: ReadonlyArray<GateRecord> = []

  /** A gate at which nobody decided in time counts as rejected from now on. */
  expireGates(now: number): void {
    this.gates = this.gates.map((gate) => (isOverdue(gate, now) ? { ...gate, decision: "expired" } : gate))
  }
}

export interface MoneyOnDisk {
  readonly money: DiskMoney
  readonly batches: DiskBatches
  readonly run: { readonly run: string; readonly budgetUsd: number } | null
  readonly plan: Plan
  readonly session: number
  /** Costs of durable attempts, all of them and those of one session's calls in real time. */
  readonly spentUsd: (session: number | null) => number
}

type Do = <A>(work: () => A) => Effect.Effect<A, StoreError>

export const memoryMoney = (
  disk: () => MoneyOnDisk,
  act: Do
): Pick<LedgerShape, "money" | "grant" | "openGate" | "withdrawGate" | "gates"> => ({
  money: act(() => {
    const { money, batches, run, session, spentUsd } = disk()
    const added = money.gates.reduce((sum, { decision, addUsd }) => sum + (decision === "approved" ? (addUsd ?? 0) : 0), 0)
    let uncertainUsd = 0
    for (const [of, { grantedUsd, isSettled }] of money.grants)
      if (!isSettled && of < session) uncertainUsd += Math.max(0, grantedUsd - spentUsd(of))
    const open = [...batches.values()].filter(({ record: { status } }) => status !== "settled" && status !== "dropped")
    return {
      envelopeUsd: (run?.budgetUsd ?? 0) + added,
      spentUsd: spentUsd(null),
      uncertainUsd,
      batchUsd: open.reduce((sum, { record }) => sum + record.reservedUsd, 0)
    }
  }),
  grant: (usd) =>
    act(() => {
      const { money, session } = disk()
      money.grants.set(session, { grantedUsd: usd, isSettled: false })
    }),
  openGate: (kind, detail) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      act(() => {
        const { money, run, plan } = disk()
        const openedAt = new Date(now)
        const fresh = { kind, openedAt, expiresAt: expiryOf(openedAt, plan), decision: null, addUsd: null }
        const open = money.gates.find((gate) => gate.kind === kind && gate.decision === null)
        const gate: GateRecord = {
          ...(open ?? { ...fresh, gate: `${run?.run}.${money.gates.length + 1}` }),
          detail: canonicalJson(detail)
        }
        money.gates = open === undefined ? [...money.gates, gate] : money.gates.map((each) => (each === open ? gate : each))
        return gate
      })
    ),
  withdrawGate: (kind) =>
    act(() => {
      const { money } = disk()
      money.gates = money.gates.map((gate) => (gate.kind === kind && gate.decision === null ? { ...gate, decision: "withdrawn" } : gate))
    }),
  gates: act(() => disk().money.gates)
})
