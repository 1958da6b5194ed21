/** Where a run can't go on without a person. */
import * as Effect from "effect/Effect"

import type { LedgerShape } from "../store/ledger.ts"
import type { GateKind } from "../store/state-tables.ts"
import type { StoreError } from "../store/store-error.ts"
import { gateKinds, type GateDetail } from "./gate-kinds.ts"
import { waitsAt, type WaitsAtGate } from "./run-error.ts"

export interface GateStop<Kind extends GateKind> {
  readonly ledger: Pick<LedgerShape, "gates" | "openGate">
  readonly run: string
  readonly kind: Kind
  /** Without personal data. */
  readonly detail: GateDetail<Kind>
}

export interface GateQuestion<Kind extends GateKind> extends GateStop<Kind> {
  /** Whether an earlier gate of this kind asked the same; without it, each did. */
  readonly isSame?: (earlier: GateDetail<Kind>) => boolean
}

/**
 * Asks a person once in the run's life. Approved: goes on. Rejected, or nobody decided in time: the caller holds back what the gate stands before. Not
 * decided yet: opens the gate, or finds it open, and fails with `WaitsAtGate`. Settle everything durable before.
 */
export const waitAtGate = Effect.fn("Run.waitAtGate")(function* <Kind extends GateKind>(
  question: GateQuestion<Kind>
): Effect.fn.Return<"approved" | "rejected", StoreError | WaitsAtGate> {
  return (yield* decidedBefore(question)) ?? (yield* stopAtGate(question))
})

/** What became of the last such question; null where none was decided, or none is asked any more. */
export const decidedBefore = Effect.fn("Run.decidedBefore")(function* <Kind extends GateKind>({
  ledger,
  kind,
  isSame
}: Pick<GateQuestion<Kind>, "ledger" | "kind" | "isSame">): Effect.fn.Return<"approved" | "rejected" | null, StoreError> {
  // The registry's entry of this kind reads this kind's detail.
  const read = gateKinds[kind].read as (stored: unknown) => GateDetail<Kind> | null
  const same = (yield* ledger.gates).filter((gate) => {
    if (gate.kind !== kind || gate.decision === null || gate.decision === "withdrawn") return false
    const detail = isSame === undefined ? null : read(JSON.parse(gate.detail))
    return isSame === undefined || (detail !== null && isSame(detail))
  })
  const decided = same.at(-1)
  return decided === undefined ? null : decided.decision === "approved" ? "approved" : "rejected"
})

/** Opens a gate whatever was decided earlier at one of its kind, or finds it open, and fails with `WaitsAtGate`. */
export const stopAtGate = Effect.fn("Run.stopAtGate")(function* <Kind extends GateKind>({
  ledger,
  run,
  kind,
  detail
}: GateStop<Kind>): Effect.fn.Return<never, StoreError | WaitsAtGate> {
  const { gate, expiresAt } = yield* ledger.openGate(kind, detail)
  return yield* waitsAt({ run, gate, kind, detail, expiresAt })
})
