/** What people were told of a run, and what happened to it, as its ledger keeps them. No personal data. */
import type * as Effect from "effect/Effect"

import type { StoreError } from "./store-error.ts"

/** `critical`: somebody should get up. */
export type Severity = "info" | "warning" | "critical"

/** How an alert is told: to whom, and in which words. */
export interface AlertWords {
  readonly severity: Severity
  /** For who answers for the run. */
  readonly text: string
  /** For the job's consumers; null where they aren't told. */
  readonly consumersText: string | null
  readonly opensIncident: boolean
}

export interface AlertRecord {
  readonly kind: string
  /** JSON. */
  readonly detail: string
  readonly raisedAt: Date
  /** Null for one that was only logged. */
  readonly words: AlertWords | null
}

/** A point of the run's timeline that is no alert: more workers, a pause. */
export interface EventRecord {
  readonly kind: string
  /** JSON. */
  readonly detail: string
  readonly at: Date
}

/** Alerts and events of a run. */
export interface AlertLedger {
  /** True the first time in the run's life that this kind is raised; `words` are kept so that a later process can tell what this one couldn't. */
  readonly raiseAlert: (kind: string, detail: unknown, words?: AlertWords) => Effect.Effect<boolean, StoreError>
  /** In the order in which they were raised. */
  readonly alerts: Effect.Effect<ReadonlyArray<AlertRecord>, StoreError>
  readonly noteEvent: (kind: string, detail: unknown) => Effect.Effect<void, StoreError>
  readonly events: Effect.Effect<ReadonlyArray<EventRecord>, StoreError>
}
