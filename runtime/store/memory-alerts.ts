/** Alerts and events of a run in memory. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { canonicalJson } from "../../dsl/index.ts"
import type { AlertLedger, AlertRecord, EventRecord } from "./alert-record.ts"
import type { StoreError } from "./store-error.ts"

/** What a disk holds of them. */
export class DiskAlerts {
  readonly alerts: Array<AlertRecord> = []
  readonly events: Array<EventRecord> = []
}

export const memoryAlerts = (disk: DiskAlerts, act: <A>(work: () => A) => Effect.Effect<A, StoreError>): AlertLedger => ({
  raiseAlert: (kind, detail, words) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      act(() => {
        if (disk.alerts.some((alert) => alert.kind === kind)) return false
        disk.alerts.push({ kind, detail: canonicalJson(detail), raisedAt: new Date(now), words: words ?? null })
        return true
      })
    ),
  alerts: act(() => [...disk.alerts]),
  noteEvent: (kind, detail) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      act(() => void disk.events.push({ kind, detail: canonicalJson(detail), at: new Date(now) }))
    ),
  events: act(() => [...disk.events])
})
