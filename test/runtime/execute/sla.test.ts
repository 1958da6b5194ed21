import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

import { Alerts, type TellAlert } from "../../../runtime/execute/alerts.ts"
import { watchSla } from "../../../runtime/execute/sla.ts"
import { Capacity } from "../../../runtime/guard/capacity.ts"
import { Projector } from "../../../runtime/guard/sla.ts"
import type { LedgerShape } from "../../../runtime/store/ledger.ts"
import { beginSealed, twoEnds } from "../../support/ledger-run.ts"
import { memoryStore } from "../../support/ledger-store.ts"

const minute = 60_000
const items = 1_000
const deadline = { startedAt: 0, at: 60 * minute }

/** A run of a thousand items, of which each worker does so many a minute; its process begins with what was done before. */
const openNight = Effect.fnUntraced(function* (
  ledger: LedgerShape,
  perWorkerMinute: number,
  over: { readonly done?: number; readonly isHeldBack?: boolean } = {}
) {
  const scope = yield* Scope.make()
  const capacity = new Capacity(2, 16)
  const told: Array<{
    readonly minute: number
    readonly kind: string
    readonly text: string
    readonly consumers: string | null
    readonly isIncident: boolean
  }> = []
  const tell: TellAlert = ({ kind, raisedAt, words }) =>
    void told.push({
      minute: raisedAt.getTime() / minute,
      kind,
      text: words.text,
      consumers: words.consumersText,
      isIncident: words.opensIncident
    })
  let done = over.done ?? 0
  let last = yield* Clock.currentTimeMillis
  const look = Effect.map(Clock.currentTimeMillis, (now) => {
    done = Math.min(items, done + ((now - last) / minute) * perWorkerMinute * capacity.target)
    last = now
    return { now, total: items, done: Math.floor(done), waiting: [] }
  })
  const tally = Effect.map(ledger.tally, (tally) => ({ ...tally, manifest: items, committed: Math.floor(done) }))
  const watching = watchSla({
    run: "r1",
    job: "two-ends",
    deadline,
    projector: new Projector(deadline),
    ledger: { tally, noteEvent: ledger.noteEvent },
    alerts: Alerts.on(ledger, tell),
    capacity: () => capacity,
    look,
    isHeldBack: () => over.isHeldBack ?? false
  })
  yield* Effect.forkIn(watching, scope, { startImmediately: true })
  return { told, capacity, done: () => done, end: Scope.close(scope, Exit.void) }
})

const setting = Effect.gen(function* () {
  const store = yield* memoryStore
  const ledger = yield* store.open(twoEnds)
  yield* beginSealed(ledger, 2)
  return { store, ledger }
})

describe("a run and its deadline", () => {
  it.effect("[SLA-2] warns at 70 %, escalates at 90 %, and at the breach opens an incident and tells consumers, each once", () =>
    Effect.gen(function* () {
      const { ledger } = yield* setting
      const night = yield* openNight(ledger, 0.5)
      yield* TestClock.adjust("3 hours")
      expect(
        night.told.map(({ kind, minute, isIncident, consumers }) => [kind, Math.round(minute), isIncident, consumers !== null])
      ).toEqual([
        ["sla-70", 42, false, false],
        ["sla-90", 54, false, false],
        ["sla-breach", 60, true, true]
      ])
      const [, , breach] = night.told
      expect(breach!.text).toMatch(
        /^Run r1 missed its deadline at 1970-01-01 01:00:00 UTC: \d+ of 1,000 items are done, and the end is expected at .* late/
      )
      expect(breach!.text).toContain("It goes on with 16 workers, all that it may use.")
      expect(breach!.consumers).toMatch(
        /^The outputs of job two-ends are late: they were due at 1970-01-01 01:00:00 UTC.*nothing is released before all are/
      )
      yield* night.end
    })
  )

  it.effect(
    "[SLA-2] a restart tells nothing again, and a run that is resumed after its deadline says so once, not what it missed before",
    () =>
      Effect.gen(function* () {
        const { store, ledger } = yield* setting
        const first = yield* openNight(ledger, 0.5)
        yield* TestClock.adjust("45 minutes")
        expect(first.told.map(({ kind }) => kind)).toEqual(["sla-70"])
        yield* first.end
        yield* store.crash
        const second = yield* store.open(twoEnds)
        yield* beginSealed(second, 2)
        const resumed = yield* openNight(second, 0.5, { done: first.done() })
        yield* TestClock.adjust("5 minutes")
        expect(resumed.told).toEqual([])
        yield* resumed.end
        // It waits at a gate meanwhile.
        yield* TestClock.adjust("2 hours")
        const late = yield* openNight(second, 0.5, { done: resumed.done() })
        yield* TestClock.adjust("10 minutes")
        yield* late.end
        const again = yield* openNight(second, 0.5, { done: late.done() })
        yield* TestClock.adjust("10 minutes")
        expect([...late.told, ...again.told].map(({ kind }) => kind)).toEqual(["sla-breach"])
        yield* again.end
      })
  )

  it.effect("[SLA-2] [case 59] a run that fails ten minutes in is never said to be late; had it gone on, it would have been", () =>
    Effect.gen(function* () {
      const { ledger } = yield* setting
      const failed = yield* openNight(ledger, 0.5)
      yield* TestClock.adjust("10 minutes")
      yield* failed.end
      yield* TestClock.adjust("2 hours")
      expect(failed.told).toEqual([])
      expect(yield* ledger.alerts).toEqual([])
      const control = yield* openNight(ledger, 0.5)
      yield* TestClock.adjust("1 minute")
      expect(control.told.map(({ kind }) => kind)).toEqual(["sla-breach"])
      yield* control.end
    })
  )

  it.effect("[EXE-2] [SLA-2] workers are added where the pace lags, so that the run is in time and nobody is alarmed", () =>
    Effect.gen(function* () {
      const { ledger } = yield* setting
      // Two workers would need two hours.
      const night = yield* openNight(ledger, 4)
      yield* TestClock.adjust("55 minutes")
      expect(night.done()).toBe(items)
      expect(night.told).toEqual([])
      expect(night.capacity.target).toBeGreaterThanOrEqual(4)
      const events = (yield* ledger.events).map(({ kind, detail }) => [kind, JSON.parse(detail)] as const)
      expect(events[0]).toEqual(["capacity", expect.objectContaining({ from: 2, why: "lag" })])
      expect(events.length).toBeLessThan(6)
      yield* night.end
    })
  )

  it.effect("[EXE-2] a run that is in time keeps its workers, and so does one that the account's limits hold back, which says why", () =>
    Effect.gen(function* () {
      const { ledger } = yield* setting
      const inTime = yield* openNight(ledger, 12)
      yield* TestClock.adjust("50 minutes")
      expect([inTime.done(), inTime.capacity.target, inTime.told]).toEqual([items, 2, []])
      yield* inTime.end
      const heldBack = yield* openNight(ledger, 0.5, { isHeldBack: true })
      yield* TestClock.adjust("8 minutes")
      expect(heldBack.capacity.target).toBe(2)
      expect(heldBack.told[0]!.text).toContain("the account's limits hold it back")
      yield* heldBack.end
    })
  )
})
