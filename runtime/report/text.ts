/** Numbers, money, times and words as a person reads them. Whatever isn't a finite number is a dash, never NaN. */

/** What stands where there is no number. */
export const none = "–"

/** An amount of things: 6,046. */
export const count = (value: number): string => finite(value, () => whole.format(value))

/** With the noun that fits: 1 item, 6,046 items. */
export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`

/** A number nobody knows the meaning of: exact when whole, else at most four digits after the point, or four that count below 1. */
export const plain = (value: number): string =>
  finite(value, () => (Math.abs(value) >= 1 || value === 0 ? decimal : significant).format(value))

/** `part` of `total` as a percentage that never rounds up to 100 or down to 0. */
export const percent = (part: number, total: number): string => {
  if (!(total > 0)) return none
  const share = (100 * part) / total
  if (share > 0 && share < 0.1) return "< 0.1 %"
  return `${share > 99.9 && share < 100 ? "99.9" : oneDigit.format(share)} %`
}

/** US dollars: $12.34; below ten cents with two digits that count, $0.014. */
export const dollars = (value: number): string =>
  finite(value, () => `$${(Math.abs(value) >= 0.0995 || value === 0 ? cents : twoSignificant).format(value)}`)

/** Seconds as the two units that matter: 0.4 s, 38 min 12 s, 2 h 5 min. */
export const duration = (seconds: number): string => {
  if (!Number.isFinite(seconds)) return none
  if (seconds < 10) return `${oneDigit.format(seconds)} s`
  const rounded = Math.round(seconds)
  if (rounded < 60) return `${rounded} s`
  if (rounded < 3600) return two(Math.floor(rounded / 60), "min", rounded % 60, "s")
  const minutes = Math.round(rounded / 60)
  if (minutes < 2880) return two(Math.floor(minutes / 60), "h", minutes % 60, "min")
  const hours = Math.round(minutes / 60)
  return two(Math.floor(hours / 24), "d", hours % 24, "h")
}

/** Of a file: 812 B, 4.1 MB. */
export const bytes = (value: number): string => {
  const unit = [1e9, 1e6, 1e3].findIndex((size) => value >= size)
  return unit < 0 ? `${count(value)} B` : finite(value, () => `${oneDigit.format(value / 1_000 ** (3 - unit))} ${["GB", "MB", "kB"][unit]}`)
}

/** Milliseconds of a call: 412 ms, 1.2 s. */
export const milliseconds = (value: number): string => {
  if (!Number.isFinite(value)) return none
  return value < 1000 ? `${(value < 10 ? oneDigit : whole).format(value)} ms` : duration(value / 1000)
}

/** How a page tells time: everything in one zone, named once. */
export interface Clock {
  readonly timeZone: string
  /** 24 Nov 2026, 15:00 */
  readonly moment: (instant: string) => string
  /** 15:00:30 */
  readonly time: (instant: string | number) => string
}

/** A clock of an IANA zone; an instant that isn't one is shown as it stands. */
export const clockOf = (timeZone: string): Clock => {
  const shared = { timeZone, hourCycle: "h23", hour: "2-digit", minute: "2-digit" } as const
  const moment = new Intl.DateTimeFormat("en-GB", { ...shared, day: "numeric", month: "short", year: "numeric" })
  const time = new Intl.DateTimeFormat("en-GB", { ...shared, second: "2-digit" })
  const show = (format: Intl.DateTimeFormat) => (instant: string | number) => {
    const date = new Date(instant)
    return Number.isNaN(date.getTime()) ? String(instant) : format.format(date)
  }
  return { timeZone, moment: show(moment), time: show(time) }
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 })
// Grouped from five digits on: the value may be a year.
const decimal = new Intl.NumberFormat("en-US", { maximumFractionDigits: 4, useGrouping: "min2" })
const significant = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 })
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const twoSignificant = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2 })

const finite = (value: number, show: () => string): string => (Number.isFinite(value) ? show() : none)
const two = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
