/** Tells of a provider's outage that lasts: a pause is on the timeline at once, and consumers hear of one that may make them wait (SLA-3). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { duration } from "../report/text.ts"
import type { LedgerShape } from "../store/ledger.ts"
import type { Alerts } from "./alerts.ts"

const pauseMsMax = 300_000
/** Of the time until the deadline. */
const pauseShare = 0.05

export interface OutageOptions {
  readonly run: string
  readonly job: string
  readonly account: string
  readonly engine: string
  readonly alerts: Alerts["Service"]
  readonly ledger: Pick<LedgerShape, "noteEvent">
  /** What the job gives a run; null without a deadline. */
  readonly withinMs: number | null
}

/** Given the breaker's changes, `since` in epoch ms. Its timer lives as long as the scope. */
export const openOutageNotice = Effect.fnUntraced(function* (options: OutageOptions) {
  const scope = yield* Effect.scope
  const { run, job, account, engine, alerts, ledger, withinMs } = options
  const boundMs = Math.min(pauseMsMax, withinMs === null ? pauseMsMax : withinMs * pauseShare)
  let pause: { readonly since: number; isTold: boolean } | null = null
  const kindOf = (word: string, since: number): string => `${word}-${account}-${new Date(since).toISOString().slice(0, 16)}`
  const note = (kind: string, detail: unknown) => Effect.ignore(ledger.noteEvent(kind, detail))

  const tellLasting = Effect.fnUntraced(function* (own: { readonly since: number; isTold: boolean }) {
    yield* Effect.sleep(Math.max(0, own.since + boundMs - (yield* Clock.currentTimeMillis)))
    if (pause !== own) return
    own.isTold = true
    const lasting = duration(((yield* Clock.currentTimeMillis) - own.since) / 1_000)
    yield* alerts.raise({
      kind: kindOf("outage", own.since),
      severity: "warning",
      text: `Run ${run} has been paused for ${lasting}: account "${account}" at ${engine} answers with failures. It is probed, and the run goes on by itself; \`runtime status ${run}\` shows it.`,
      toConsumers: `The outputs of job ${job} may be late: a provider that it asks has been failing for ${lasting}. Nothing is lost; the run goes on by itself when the provider is back.`,
      detail: { account, engine, since: new Date(own.since).toISOString() }
    })
  })

  const paused = Effect.fnUntraced(function* (since: number) {
    const own = (pause = { since, isTold: false })
    yield* note("pause", { account, engine, since: new Date(since).toISOString() })
    yield* Effect.forkIn(tellLasting(own), scope)
  })

  const resumed = Effect.fnUntraced(function* () {
    const own = pause
    pause = null
    if (own === null) return
    const ms = (yield* Clock.currentTimeMillis) - own.since
    yield* note("unpause", { account, engine, ms })
    if (!own.isTold) return
    const lasted = duration(ms / 1_000)
    yield* alerts.raise({
      kind: kindOf("outage-over", own.since),
      severity: "info",
      text: `Run ${run}: account "${account}" at ${engine} is answering again after ${lasted}; the run goes on.`,
      toConsumers: `Job ${job} goes on: the provider is back after ${lasted}.`,
      detail: { account, engine, ms }
    })
  })

  return (isPaused: boolean, since: number): Effect.Effect<void> => (isPaused ? paused(since) : resumed())
})
