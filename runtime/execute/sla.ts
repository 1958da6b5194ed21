/** The fiber that holds a run to its deadline: projects its end, adds workers where it lags, and says in time what will be late (SLA-1, SLA-2, EXE-2). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Capacity } from "../guard/capacity.ts"
import {
  isMissed,
  markAt,
  msToNextMark,
  workersWanted,
  type Deadline,
  type Look,
  type Projection,
  type Projector,
  type SlaMark
} from "../guard/sla.ts"
import { duration, plural } from "../report/text.ts"
import type { LedgerShape, Tally } from "../store/ledger.ts"
import type { Alert, Alerts } from "./alerts.ts"

export interface SlaOptions {
  readonly run: string
  readonly job: string
  readonly deadline: Deadline
  readonly projector: Projector
  readonly ledger: Pick<LedgerShape, "tally" | "noteEvent">
  readonly alerts: Alerts["Service"]
  /** Null until work begins, and after it ended. */
  readonly capacity: () => Capacity | null
  /** What is known now. */
  readonly look: Effect.Effect<Look>
  /** Whether calls wait for the account's limits: more workers would only wait too. */
  readonly isHeldBack: () => boolean
}

/** Looks until it is interrupted: that is when the run ends, so that nothing is said of it afterwards (case 59). */
export const watchSla = Effect.fn("Run.watchSla")(function* (options: SlaOptions): Effect.fn.Return<never> {
  const { deadline, projector } = options
  const told = new Set<SlaMark>()
  for (;;) {
    const look = yield* options.look
    projector.see(look)
    const projection = projector.project(look)
    const mark = markAt(deadline, look.now)
    // What isn't known yet is no miss; when the time is up, it is one.
    const isDue = mark === "sla-breach" || (mark !== null && projector.isSure && isMissed(projection, deadline))
    const isNews = mark !== null && isDue && !told.has(mark)
    yield* addWorkers(options, look, projection, isNews)
    if (isNews) {
      told.add(mark)
      yield* options.alerts.raise(alertOf(mark, options, yield* options.ledger.tally, projection, look.now))
    }
    const now = yield* Clock.currentTimeMillis
    yield* Effect.sleep(Math.max(1, Math.min(projector.intervalMs, Math.ceil(msToNextMark(deadline, now)))))
  }
})

/** More where the run lags behind, as soon as the effect of the last change can be seen, and at a mark at once. */
const addWorkers = Effect.fnUntraced(function* (
  { capacity: find, deadline, projector, isHeldBack, ledger }: SlaOptions,
  { now, total, done }: Look,
  projection: Projection,
  isNow: boolean
) {
  const capacity = find()
  if (capacity === null || total === null || done >= total || !(projector.isSure || isNow) || isHeldBack()) return
  const before = capacity.target
  if (projection.etaAt === null && !projector.isStalled && !isNow) return
  // Short of a mark, only a lag that the spread of the pace can't explain counts.
  capacity.set(workersWanted(before, isNow ? projection.etaAt : projection.etaLow, deadline, now))
  if (capacity.target === before) return
  projector.restart()
  yield* Effect.ignore(
    ledger.noteEvent("capacity", {
      from: before,
      to: capacity.target,
      why: "lag",
      etaAt: isoOf(projection.etaAt),
      deadline: isoOf(deadline.at)
    })
  )
})

const alertOf = (mark: SlaMark, options: SlaOptions, tally: Tally, projection: Projection, now: number): Alert => {
  const { run, job, deadline } = options
  const done = `${tally.committed.toLocaleString("en-US")} of ${plural(tally.manifest, "item")} ${tally.committed === 1 ? "is" : "are"} done`
  const expected = expectedText(projection, deadline, now)
  const doing = doingText(options)
  const due = minuteOf(deadline.at)
  const detail = {
    deadline: isoOf(deadline.at),
    etaAt: isoOf(projection.etaAt),
    etaLow: isoOf(projection.etaLow),
    etaHigh: isoOf(projection.etaHigh),
    items: tally.manifest,
    done: tally.committed,
    ...tally.dispositions,
    workers: options.capacity()?.target ?? null
  }
  const what = `${done}, and ${expected}. ${doing} \`runtime status ${run}\` shows it.`
  if (mark === "sla-70")
    return {
      kind: mark,
      severity: "warning",
      text: `Run ${run} may miss its deadline at ${due}: 70 % of its time is gone, ${what}`,
      detail
    }
  if (mark === "sla-90")
    return {
      kind: mark,
      severity: "critical",
      // The breach opens one.
      opensIncident: false,
      text: `Run ${run} is about to miss its deadline at ${due}: 90 % of its time is gone, ${what}`,
      detail
    }
  const { delivered, review, dead, held, skipped } = tally.dispositions
  const other = review + dead + held + skipped
  const partial = `${done}${other > 0 ? `, of them ${delivered.toLocaleString("en-US")} without trouble` : ""}`
  return {
    kind: mark,
    severity: "critical",
    text: `Run ${run} missed its deadline at ${due}: ${what}`,
    toConsumers: `The outputs of job ${job} are late: they were due at ${due}, and ${expected}. ${partial}; nothing is released before all are. ${doing}`,
    detail
  }
}

const expectedText = ({ etaAt, etaLow, etaHigh }: Projection, deadline: Deadline, now: number): string => {
  if (etaAt === null) return "nothing moves that an end could be projected from"
  const late = etaAt > deadline.at ? `, ${duration((etaAt - deadline.at) / 1_000)} late` : ""
  const range =
    etaLow === null || (etaHigh !== null && etaHigh - etaLow < 60_000)
      ? ""
      : etaHigh === null
        ? ` (at the earliest ${minuteOf(etaLow)})`
        : ` (between ${minuteOf(etaLow)} and ${minuteOf(etaHigh)})`
  return etaAt <= now ? "the rest is being checked and released" : `the end is expected at ${minuteOf(etaAt)}${late}${range}`
}

const doingText = ({ capacity: find, isHeldBack }: SlaOptions): string => {
  const capacity = find()
  if (capacity === null) return "It goes on."
  if (isHeldBack()) return "It goes on; the account's limits hold it back, so more workers would not help."
  const workers = plural(capacity.target, "worker")
  return capacity.target >= capacity.max ? `It goes on with ${workers}, all that it may use.` : `It goes on with ${workers}.`
}

const isoOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

/** 2026-11-25 06:00:00 UTC */
const minuteOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`
