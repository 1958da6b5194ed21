/** What people are told of a run while it goes on: each kind once in the run's life, whatever restarts it (SLA-2, RTY-3, VAL-5). */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import type { AlertRecord, AlertWords, Severity } from "../store/alert-record.ts"
import type { LedgerShape } from "../store/ledger.ts"

export interface Alert {
  /** What it's known by within the run: `sla-70`, `dead-letters`. Raised again, it's no news. */
  readonly kind: string
  /** `info` and `warning` are logged and told to the job's channels; `critical` opens an incident too. */
  readonly severity: Severity
  /** What happened to which run, why, and what to type. Without personal data: it's stored, and leaves the machine. */
  readonly text: string
  /** The figures, as JSON values; without personal data. */
  readonly detail: unknown
  /** What the job's consumers are told of it, who can't type anything. Default: nothing. */
  readonly toConsumers?: string
  /** `false` where whoever typed the command is told anyway. Default true. */
  readonly isLogged?: boolean
  /** Default: where it's critical. */
  readonly opensIncident?: boolean
}

/** Passes an alert on to channels and incidents: it returns at once, whatever state those are in. */
export type TellAlert = (raised: Pick<AlertRecord, "kind" | "raisedAt"> & { readonly detail: unknown; readonly words: AlertWords }) => void

/** A disk that is full must not keep an alert back for longer. */
const writeMax = "5 seconds"

export class Alerts extends Context.Service<
  Alerts,
  {
    /** True where it's news. Never fails the run: what can't be written is logged and told all the same. */
    readonly raise: (alert: Alert) => Effect.Effect<boolean>
  }
>()("nightshift/Alerts") {
  /** Of one run. */
  static readonly on = (ledger: Pick<LedgerShape, "raiseAlert">, tell: TellAlert = () => {}): Alerts["Service"] => {
    /** So that an alert which couldn't be written isn't told again and again by this process. */
    const raised = new Set<string>()
    return {
      raise: Effect.fnUntraced(function* ({ kind, severity, text, detail, toConsumers, opensIncident, isLogged = true }) {
        if (raised.has(kind)) return false
        raised.add(kind)
        const words = { severity, text, consumersText: toConsumers ?? null, opensIncident: opensIncident ?? severity === "critical" }
        const isNews = yield* ledger.raiseAlert(kind, detail, words).pipe(
          Effect.timeoutOrElse({ duration: writeMax, orElse: () => Effect.succeed(true) }),
          Effect.catchCause((cause) => Effect.as(Effect.logDebug("An alert could not be written", cause), true))
        )
        if (!isNews) return false
        if (isLogged) yield* severity === "info" ? Effect.logInfo(text) : Effect.logWarning(text)
        const raisedAt = new Date(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
        yield* Effect.sync(() => tell({ kind, raisedAt, detail, words }))
        return true
      })
    }
  }
}
