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
  // Clocks have changed at quarter hours of UTC only since 1972.
  for (let quarter = 0; quarter < minutes.length; quarter += 15) {
    const shown = Date.parse(`${format.format(start + quarter * minuteMs).replace(" ", "T")}Z`) / minuteMs
    for (let minute = 0; minute < 15; minute++) minutes[quarter + minute] = shown + minute
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

const reader = (expression: string) => {
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = expression.split(" ")
  const isMinute = values(minute, 0, 59)
  const isHour = values(hour, 0, 23)
  const isDayOfMonth = values(day, 1, 31)
  const isMonth = values(month, 1, 12)
  const isWeekday = values(weekday, 0, 6)
  return (shown: number): boolean => {
    if (!isMinute.has(((shown % 60) + 60) % 60)) return false
    const date = new Date(shown * minuteMs)
    if (!isHour.has(date.getUTCHours()) || !isMonth.has(date.getUTCMonth() + 1)) return false
    const byDay = isDayOfMonth.has(date.getUTCDate())
    const byWeekday = isWeekday.has(date.getUTCDay())
    return day === "*" || weekday === "*" ? byDay && byWeekday : byDay || byWeekday
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
