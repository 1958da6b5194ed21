/**
 * When a schedule fires. The rule for clock changes: an hour field of `*` or of a step over it fires at every matching instant, in
 * a repeated hour too. Any other is wall clock: a local time that doesn't exist is read with the offset before the change, one that
 * exists twice fires the first time only. Nothing here reads a clock.
 */
import type { Plan, PlanFault } from "../../dsl/index.ts"
import { expressionFaults, readCalendar, type Calendar } from "./calendar.ts"
import { dayMs, offsetReader, offsetSpans, zoneFaults, type OffsetSpan } from "./zone.ts"

/** What of a schedule says when it fires: a plan's has it, and a job's. */
export type Schedule = Pick<NonNullable<Plan["schedule"]>, "expression" | "timeZone">

export interface FireTime {
  readonly at: Date
  /** `2026-03-08T07:30:00Z` */
  readonly utc: string
  /** `2026-03-08T03:30:00-04:00`: what the clock on the wall says. */
  readonly local: string
  /** Names the fire time for ever: the instant for an interval cron (`2026-03-08T07:30Z`), else the local time (`2026-03-08T03:30`). */
  readonly key: string
}

/** What a run is about: its fire time, the half-open interval since the fire time before, and its local date. */
export interface LogicalTime {
  readonly logicalTime: Date
  readonly interval: { readonly start: Date; readonly end: Date }
  /** `YYYY-MM-DD` in the schedule's zone; in UTC without a schedule. */
  readonly date: string
}

/** What is wrong with a schedule. The other functions expect one without faults. */
export const checkSchedule = ({ expression, timeZone }: Schedule): ReadonlyArray<PlanFault> => [
  ...expressionFaults(expression),
  ...zoneFaults(timeZone)
]

/** The first `count` fire times later than `after`, in order. */
export const nextFires = (schedule: Schedule, after: Date, count: number): ReadonlyArray<FireTime> =>
  firesFrom(schedule, after.getTime() + 1)
    .take(count)
    .map(fireTime)
    .toArray()

/** The last fire time earlier than `before`; null only for a schedule that never fires. */
export const previousFire = (schedule: Schedule, before: Date): FireTime | null => {
  for (const lookBackMs of [dayMs, 32 * dayMs, 366 * dayMs, 9 * 366 * dayMs, silenceMsMax]) {
    const last = firesBetween(schedule, before.getTime() - lookBackMs, before.getTime()).at(-1)
    if (last !== undefined) return fireTime(last)
  }
  return null
}

/**
 * What a run is about that is started at `now`, for a local `date` (`YYYY-MM-DD`) if one is given. With a schedule: the last fire
 * time of that date, or the last up to now. Without: the day of UTC, today by default.
 */
export const logicalTimeOf = (schedule: Schedule | null, date: string | null, now: Date): LogicalTime | PlanFault => {
  const today = now.toISOString().slice(0, 10)
  if (date !== null && !isDate(date)) return fault(`"${date}" is no date`, `write the year, month and day of one that exists: ${today}`)
  if (schedule === null) {
    const start = new Date(date ?? today)
    return { logicalTime: start, interval: { start, end: new Date(start.getTime() + dayMs) }, date: date ?? today }
  }
  const [broken] = checkSchedule(schedule)
  if (broken) return broken
  // A cron has no first fire time, so there is one up to now.
  const fire = date === null ? previousFire(schedule, new Date(now.getTime() + 1)) : lastFireOn(schedule, date)
  if (fire === null) return fault(`the schedule "${schedule.expression}" never fires`, "give it days that come")
  if ("problem" in fire) return fire
  return {
    logicalTime: fire.at,
    interval: { start: previousFire(schedule, fire.at)?.at ?? fire.at, end: fire.at },
    date: fire.local.slice(0, 10)
  }
}

/** No cron is silent for longer: a 29 February that must be a Monday may take 40 years. */
const silenceMsMax = 41 * 366 * dayMs

interface Fire {
  readonly at: number
  readonly offsetMs: number
  readonly isInterval: boolean
}

/** Every fire time from an instant on, without end unless the schedule never fires. */
function* firesFrom({ expression, timeZone }: Schedule, from: number): Generator<Fire> {
  const calendar = readCalendar(expression)
  let last = from - 1
  for (const span of offsetSpans(timeZone, from)) {
    for (const at of firesWithin(calendar, span)) {
      // Two local times may be one instant: `30 2,3 * * *` on the day that has no 02:30.
      if (at <= last) continue
      yield { at, offsetMs: span.offsetMs, isInterval: calendar.isInterval }
      last = at
    }
    if (span.to - last > silenceMsMax) return
  }
}

const firesWithin = ({ isInterval, matches }: Calendar, { from, to, offsetMs, changedAt, beforeMs }: OffsetSpan): ReadonlyArray<number> => {
  const toInstant = (offset: number) => (local: number) => local - offset
  if (isInterval) return matches(from + offsetMs, to + offsetMs).map(toInstant(offsetMs))
  // Local times up to the last one before the change have had their turn.
  const shown = matches(Math.max(from + offsetMs, changedAt + beforeMs), to + offsetMs).map(toInstant(offsetMs))
  if (offsetMs <= beforeMs) return shown
  const skipped = matches(from + beforeMs, Math.min(to + beforeMs, changedAt + offsetMs)).map(toInstant(beforeMs))
  return [...shown, ...skipped].toSorted((a, b) => a - b)
}

const fireTime = ({ at, offsetMs, isInterval }: Fire): FireTime => {
  const utc = `${new Date(at).toISOString().slice(0, 19)}Z`
  const wall = new Date(at + offsetMs).toISOString().slice(0, 19)
  const offset = new Date(Math.abs(offsetMs)).toISOString().slice(11, 16)
  return {
    at: new Date(at),
    utc,
    local: `${wall}${offsetMs < 0 ? "-" : "+"}${offset}`,
    key: isInterval ? `${utc.slice(0, 16)}Z` : wall.slice(0, 16)
  }
}

const firesBetween = (schedule: Schedule, from: number, to: number): ReadonlyArray<Fire> => {
  const fires: Array<Fire> = []
  for (const fire of firesFrom(schedule, from)) {
    if (fire.at >= to) break
    fires.push(fire)
  }
  return fires
}

const lastFireOn = (schedule: Schedule, date: string): FireTime | PlanFault => {
  const midnight = Date.parse(date)
  const noon = midnight + dayMs / 2 - offsetReader(schedule.timeZone)(midnight)
  const onDate = firesBetween(schedule, noon - dayMs, noon + dayMs)
    .map(fireTime)
    .findLast(({ local }) => local.startsWith(date))
  if (onDate !== undefined) return onDate
  const next = firesFrom(schedule, noon - dayMs)
    .map(fireTime)
    .find(({ local }) => local.slice(0, 10) > date)
  const nearest = next === undefined ? [] : [previousFire(schedule, next.at), next].filter((fire) => fire !== null)
  return fault(
    `the schedule "${schedule.expression}" doesn't fire on ${date} in ${schedule.timeZone}`,
    `take a date it fires on, the nearest: ${nearest.map(({ local }) => `${local.slice(0, 10)} (${local})`).join(" or ")}`
  )
}

const fault = (problem: string, remedy: string): PlanFault => ({ step: "job", problem, remedy })

const isDate = (date: string): boolean => {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(date) ? new Date(date) : new Date(Number.NaN)
  // V8 reads 30 February as 2 March.
  return !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 10) === date
}
