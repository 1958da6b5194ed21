import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

import { Alerts, type TellAlert } from "../../../runtime/execute/alerts.ts"
import { openOutageNotice } from "../../../runtime/execute/outage-notice.ts"
import { beginSealed, twoEnds } from "../../support/ledger-run.ts"
import { memoryStore } from "../../support/ledger-store.ts"

it.effect("[SLA-3] consumers hear of an outage that lasts and of its end; of a short one there is a line on the timeline alone", () =>
  Effect.gen(function* () {
    const ledger = yield* (yield* memoryStore).open(twoEnds)
    yield* beginSealed(ledger, 2)
    const told: Array<string> = []
    const tell: TellAlert = ({ kind, words }) => void told.push(`${kind.replace(/-1970.*/, "")}: ${words.consumersText}`)
    const of = { run: "r1", job: "mails", account: "desk", engine: "openai", withinMs: null }
    const notice = yield* openOutageNotice({ ...of, alerts: Alerts.on(ledger, tell), ledger })
    yield* notice(true, yield* Clock.currentTimeMillis)
    yield* TestClock.adjust("4 minutes")
    yield* notice(false, 0)
    yield* TestClock.adjust("1 hour")
    expect(told).toEqual([])
    yield* notice(true, yield* Clock.currentTimeMillis)
    yield* TestClock.adjust("12 minutes")
    yield* notice(false, 0)
    expect(told).toEqual([
      "outage-desk: The outputs of job mails may be late: a provider that it asks has been failing for 5 min. Nothing is lost; the run goes on by itself when the provider is back.",
      "outage-over-desk: Job mails goes on: the provider is back after 12 min."
    ])
    expect((yield* ledger.events).map(({ kind }) => kind)).toEqual(["pause", "unpause", "pause", "unpause"])
  }).pipe(Effect.scoped)
)
