/** Fire times the slow way: someone watches a wall clock for every minute of a year and reads the cron from it. */
const minuteMs = 60_000

/** A zone's wall clock over some time, each minute as minutes since the epoch "as if UTC". */
export interface WallClock {
  readonly from: number
  readonly minutes: Int32Array
}

export const wallClock = (timeZone: string, from: string, days: number): WallClock => {
  const start = Date.parse(from)
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" })
  const minutes = new Int32Array(days * 1440)
  const shownAt = (minute: number): number => Date.parse(`${format.format(start + minute * minuteMs).replace(" ", "T")}Z`) / minuteMs
  for (let hour = 0; hour < minutes.length; hour += 60) {
    const shown = shownAt(hour)
    const isSteady = shownAt(hour + 60) === shown + 60
    for (let minute = 0; minute < 60; minute++) minutes[hour + minute] = isSteady ? shown + minute : shownAt(hour + minute)
  }
  return { from: start, minutes }
}

/** Instants in ms of a cron of numbers, `*`, lists, ranges and steps; days of the month and of the week both given are alternatives. */
export const watch = (expression: string, { from, minutes }: WallClock): ReadonlyArray<number> => {
  const isNamed = reader(expression)
  const isInterval = (expression.split(" ")[1] ?? "").startsWith("*")
  const found = new Set<number>()
  let latest = (minutes[0] ?? 0) - 1
  minutes.forEach((shown, index) => {
    if (isInterval) {
      if (isNamed(shown)) found.add(index)
      return
    }
    // What the clock jumped over is late by as much as it was jumped over.
    for (let skipped = latest + 1; skipped < shown; skipped++) if (isNamed(skipped)) found.add(index + skipped - latest - 1)
    if (shown > latest && isNamed(shown)) found.add(index)
    latest = Math.max(latest, shown)
  })
  return [...found]
    .filter((index) => index < minutes.length)
    .toSorted((a, b) => a - b)
    .map((index) => from + index * minuteMs)
}

/** Whether a cron names a minute of the epoch: its time of day and its day are each looked up. */
const reader = (expression: string) => {
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = expression.split(" ")
  const [isMinute, isHour] = [values(minute, 0, 59), values(hour, 0, 23)]
  const isTime = Array.from({ length: 1440 }, (_, time) => isHour.has(Math.floor(time / 60)) && isMinute.has(time % 60))
  const [isDayOfMonth, isMonth, isWeekday] = [values(day, 1, 31), values(month, 1, 12), values(weekday, 0, 6)]
  const days = new Map<number, boolean>()
  const isDay = (number: number): boolean => {
    const date = new Date(number * 1440 * minuteMs)
    const [byDay, byWeekday] = [isDayOfMonth.has(date.getUTCDate()), isWeekday.has(date.getUTCDay())]
    return isMonth.has(date.getUTCMonth() + 1) && (day === "*" || weekday === "*" ? byDay && byWeekday : byDay || byWeekday)
  }
  return (shown: number): boolean => {
    const number = Math.floor(shown / 1440)
    if (isTime[shown - number * 1440] !== true) return false
    if (!days.has(number)) days.set(number, isDay(number))
    return days.get(number) === true
  }
}

const values = (field: string, min: number, max: number): ReadonlySet<number> => {
  const found = new Set<number>()
  for (const part of field.split(",")) {
    const [range = "", step = "1"] = part.split("/")
    const [low = "", high = low] = range === "*" ? [`${min}`, `${max}`] : range.split("-")
    for (let value = Number(low); value <= Number(high); value += Number(step)) found.add(value)
  }
  return found
}
