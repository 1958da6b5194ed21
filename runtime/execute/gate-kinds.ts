/** Every kind of gate, by name. A new one is a file like `budget-gate.ts`, its name in the store, and a line here. */
import type { GateKind } from "../store/state-tables.ts"
import { budgetGate } from "./budget-gate.ts"
import { evaluationGate } from "./evaluation-gate.ts"
import { failureRateGate } from "./failure-rate-gate.ts"
import { approveOrReject, type GateCommand, type GateWords } from "./gate-kind.ts"
import { planChangedGate } from "./plan-changed-gate.ts"
import { qualityGate } from "./quality-gate.ts"
import { releaseGate } from "./release-gate.ts"

export const gateKinds = {
  budget: budgetGate,
  "failure-rate": failureRateGate,
  quality: qualityGate,
  "plan-changed": planChangedGate,
  release: releaseGate,
  evaluation: evaluationGate
} satisfies Readonly<Record<GateKind, unknown>>

/** What a gate of the kind keeps. */
export type GateDetail<Kind extends GateKind> = NonNullable<ReturnType<(typeof gateKinds)[Kind]["read"]>>

/** What a gate says; of one that another version wrote, what every gate has. */
export const gateWords = (gate: string, kind: GateKind, detail: unknown): GateWords =>
  // A kind that a later version knows is none of these.
  (gateKinds as Partial<typeof gateKinds>)[kind]?.wordsOf(gate, detail) ?? {
    says: [],
    commands: approveOrReject(gate, { approve: "go on", reject: "close" })
  }

/** What to type, a line each. */
export const commandLines = (commands: ReadonlyArray<GateCommand>): ReadonlyArray<string> => {
  const width = Math.max(...commands.map(({ use }) => use.length)) + 1
  return commands.map(({ use, command }) => `  ${`${use}:`.padEnd(width)} ${command}`)
}
