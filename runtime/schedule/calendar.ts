/** What a cron expression says about days and times of day, apart from any time zone. */
import { CronExpressionParser } from "cron-parser"

import type { PlanFault } from "../../dsl/index.ts"
import { dayMs } from "./zone.ts"

/** The local times that an expression names. */
export interface Calendar {
  /** The hour field is `*` or a step over it: fires at every matching instant, not once a local time. */
  readonly isInterval: boolean
  /** In ascending order, `to` exclusive, both in ms of local time as if it were UTC. */
  readonly matches: (from: number, to: number) => ReadonlyArray<number>
}

/**
 * Reads an expression that `expressionFaults` passed; throws on others. Five fields as in POSIX cron (of a day of the month and a
 * day of the week that are both given, either will do), names, and the days `L`, `FRIL` and `FRI#2`. Left out: `@daily` and seconds.
 * cron-parser reads the fields and picks the days; its own walk through a time zone loses times when clocks change, so it isn't used.
 */
export const readCalendar = (expression: string): Calendar => {
  const parsed = parse(expression)
  const { hour, minute, month } = parsed.fields
  const months = new Set<number>(month.values)
  const times = hour.values.flatMap((hours) => minute.values.map((minutes) => (hours * 60 + minutes) * 60_000))
  const isDay = (day: number): boolean =>
    months.has(new Date(day).getUTCMonth() + 1) && parsed.includesDate(new Date(day + (times[0] ?? 0)))
  return {
    isInterval: /^\*(\/\d+)?$/.test(fieldsOf(expression)[1] ?? ""),
    matches: (from, to) => {
      const found: Array<number> = []
      for (let day = Math.floor(from / dayMs) * dayMs; day < to; day += dayMs) {
        if (isDay(day)) found.push(...times.map((time) => day + time).filter((at) => at >= from && at < to))
      }
      return found
    }
  }
}

/** What is wrong with an expression: each field that can't be read, or that it never fires. */
export const expressionFaults = (expression: string): ReadonlyArray<PlanFault> => {
  const texts = fieldsOf(expression)
  if (texts.length !== fields.length) {
    return [
      fault(
        `the schedule "${expression}" has ${texts.length} ${texts.length === 1 ? "field" : "fields"}, not five`,
        'write minute, hour, day of the month, month and day of the week: "0 1 * * *" is 01:00 every day'
      )
    ]
  }
  const faults = fields.flatMap(({ name, takes }, index) => {
    const text = texts[index] ?? ""
    const reason = fieldReason(text, index)
    return reason === null
      ? []
      : [fault(`the ${name} field "${text}" of the schedule "${expression}" can't be read: ${reason}`, `the ${name} takes ${takes}`)]
  })
  if (faults.length > 0 || hasDay(texts.slice(2))) return faults
  return [
    fault(
      `the schedule "${expression}" never fires: no month it names has such a day`,
      'name a day that comes: "0 0 L 2 *" is the last day of February'
    )
  ]
}

const signs = "*, lists (1,3), ranges (1-5) and steps (*/2)"
const fields = [
  { name: "minute", takes: `0-59, ${signs}`, size: 60 },
  { name: "hour", takes: `0-23, ${signs}`, size: 24 },
  { name: "day of the month", takes: `1-31, L for the last, ${signs}`, size: 31 },
  { name: "month", takes: `1-12 or JAN-DEC, ${signs}`, size: 12 },
  {
    name: "day of the week",
    takes: `0-7 or SUN-SAT (0 and 7 are Sunday), FRI#2 for the second Friday, FRIL for the last, ${signs}`,
    size: 7
  }
]

const fault = (problem: string, remedy: string): PlanFault => ({ step: "job", problem, remedy })

const fieldsOf = (expression: string): ReadonlyArray<string> => expression.match(/\S+/g) ?? []

/** Why a field can't be read; null for one that can. */
const fieldReason = (text: string, index: number): string | null => {
  // cron-parser draws a random number for H, and a run's time must come out the same tomorrow.
  const extension = /[H?]/.exec(index < 3 ? text : text.replaceAll(/[A-Za-z]{3}/g, ""))
  if (extension) return `"${extension[0]}" has no meaning in it`
  const size = fields[index]?.size ?? 0
  const step = text
    .split(",")
    .map((part) => Number(part.split("/")[1] ?? 1))
    .find((step) => step > size)
  if (step !== undefined) return `a step counts within its field, which has ${size} values, so ${step} is never reached`
  try {
    parse(fields.map((_, other) => (other === index ? text : "*")).join(" "))
    return null
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return message.replaceAll(/^(Cron\w+ )?(Constraint|Validation) error, |, got value: .*$/g, "")
  }
}

/** 28 years from 2000 on hold every day of every month on every day of the week. */
const hasDay = (dayFields: ReadonlyArray<string>): boolean => {
  try {
    const { matches } = readCalendar(["0", "0", ...dayFields].join(" "))
    return Array.from({ length: 28 }, (_, year) => Date.UTC(2000 + year)).some((start) => matches(start, start + 366 * dayMs).length > 0)
  } catch {
    // Of fields that can each be read, cron-parser refuses only days that their months don't have.
    return false
  }
}

// Without a date cron-parser would read the machine's clock, without a zone its time zone.
const parse = (expression: string) => CronExpressionParser.parse(expression, { tz: "UTC", currentDate: 0 })
