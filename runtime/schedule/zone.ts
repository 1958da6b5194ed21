/** A time zone's clock: its offset from UTC, and where that changes. Times are ms since the epoch, local times too ("as if UTC"). */
import type { PlanFault } from "../../dsl/index.ts"

/** Instants of one offset, `to` exclusive, at most a week long. */
export interface OffsetSpan {
  readonly from: number
  readonly to: number
  readonly offsetMs: number
  /** The last change of offset at or before `from`, and the offset before it. */
  readonly changedAt: number
  readonly beforeMs: number
}

/** The length of a day of UTC. */
export const dayMs = 86_400_000

/**
 * The zone's clock from two days before `from` on, span after span without end. The two days tell what the clock did just before:
 * the longest change known (Samoa, 2011) took 24 hours.
 */
export function* offsetSpans(timeZone: string, from: number): Generator<OffsetSpan> {
  const offsetAt = offsetReader(timeZone)
  let start = from - 2 * dayMs
  let offsetMs = offsetAt(start)
  let changedAt = start
  let beforeMs = offsetMs
  while (true) {
    // No zone changes its clock and back within a week: Morocco's Ramadan, the shortest such time, takes a month.
    const end = start + 7 * dayMs
    const isSteady = offsetAt(end) === offsetMs
    const to = isSteady ? end : changeWithin(offsetAt, start, end)
    yield { from: start, to, offsetMs, changedAt, beforeMs }
    start = to
    if (isSteady) continue
    changedAt = to
    beforeMs = offsetMs
    offsetMs = offsetAt(to)
  }
}

/** A function of an instant: the zone's offset then, in ms, positive east of Greenwich. */
export const offsetReader = (timeZone: string): ((at: number) => number) => {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" })
  return (at) => {
    // "11/1/2026, GMT-04:00"; bare "GMT" is no offset, and seconds appear before 1972 only.
    const [, sign, hours = 0, minutes = 0, seconds = 0] = /GMT(?:([+-])(\d+):(\d+)(?::(\d+))?)?$/.exec(format.format(at)) ?? []
    return (sign === "-" ? -1 : 1) * ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000
  }
}

/** What is wrong with a schedule's zone. Never falls back to the zone of the machine. */
export const zoneFaults = (timeZone: string): ReadonlyArray<PlanFault> => {
  if (isPlace(timeZone)) return []
  // A job file runs without its types being checked, so the zone may be missing.
  const problem = timeZone ? `"${timeZone}" is no time zone of the IANA database in the form Area/City` : "the schedule has no time zone"
  return [{ step: "job", problem, remedy: 'name a place, whose clock changes are known: "Europe/London", "Australia/Sydney", or "UTC"' }]
}

/** `Intl` also takes fixed offsets and abbreviations: "IST" is three zones, and "EST" never has summer time. */
const isPlace = (timeZone: string): boolean => {
  if (timeZone !== "UTC" && !/^[A-Za-z_]+(\/[A-Za-z0-9_+-]+)+$/.test(timeZone)) return false
  try {
    offsetReader(timeZone)
    return true
  } catch {
    return false
  }
}

/** The first instant of another offset after `start`, where `end` is known to have one. */
const changeWithin = (offsetAt: (at: number) => number, start: number, end: number): number => {
  const offsetMs = offsetAt(start)
  let same = start
  let other = end
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2)
    if (offsetAt(middle) === offsetMs) same = middle
    else other = middle
  }
  return other
}
