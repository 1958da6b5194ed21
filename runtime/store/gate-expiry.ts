/** How long a gate waits for a person. */
import type { Plan } from "../../dsl/index.ts"
import type { GateDecision } from "./state-tables.ts"

/** Unless the job says otherwise. */
export const gateExpiryDefaultMs = 7 * 24 * 3_600_000

/** When a gate that opens now counts as rejected. */
export const expiryOf = (openedAt: Date, { gateExpiryMs = gateExpiryDefaultMs }: Pick<Plan, "gateExpiryMs">): Date =>
  new Date(openedAt.getTime() + gateExpiryMs)

/** Whether nobody decided in time. */
export const isOverdue = (
  { decision, expiresAt }: { readonly decision: GateDecision | null; readonly expiresAt: Date | null },
  now: number
): boolean => decision === null && expiresAt !== null && expiresAt.getTime() <= now

/** Whether it holds back what the gate stands before: a person said no, or nobody anything in time. */
export const countsAsNo = (decision: GateDecision | null): boolean => decision === "rejected" || decision === "expired"
