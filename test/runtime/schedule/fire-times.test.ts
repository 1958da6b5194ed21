import { execFileSync } from "node:child_process"

import { describe, expect, it } from "vitest"

import { cron } from "../../../dsl/index.ts"
import { checkSchedule, nextFires, previousFire, type Schedule } from "../../../runtime/schedule/fire-times.ts"
import { wallClock, watch } from "./clock-watch.ts"

const on = (expression: string, timeZone: string): Schedule => ({ expression, timeZone })
const dayMs = 86_400_000

const until = (schedule: Schedule, from: string, to: string): ReadonlyArray<string> =>
  nextFires(schedule, new Date(Date.parse(from) - 1), 200)
    .map(({ utc }) => utc)
    .filter((utc) => Date.parse(utc) < Date.parse(to))

describe("the wall clock", () => {
  it.each([
    // 02:00 becomes 03:00 on 8 March, 02:00 becomes 01:00 on 1 November.
    ["America/New_York", "30 2 * * *", "2026-03-08", "2026-03-08T07:30:00Z", "2026-03-08T03:30:00-04:00", "2026-03-08T03:30"],
    ["America/New_York", "30 2 * * *", "2026-03-09", "2026-03-09T06:30:00Z", "2026-03-09T02:30:00-04:00", "2026-03-09T02:30"],
    ["America/New_York", "30 1 * * *", "2026-11-01", "2026-11-01T05:30:00Z", "2026-11-01T01:30:00-04:00", "2026-11-01T01:30"],
    ["America/New_York", "30 1 * * *", "2026-11-02", "2026-11-02T06:30:00Z", "2026-11-02T01:30:00-05:00", "2026-11-02T01:30"],
    // 03:00 becomes 02:00 on 5 April, 02:00 becomes 03:00 on 4 October.
    ["Australia/Sydney", "30 2 * * *", "2026-04-05", "2026-04-04T15:30:00Z", "2026-04-05T02:30:00+11:00", "2026-04-05T02:30"],
    ["Australia/Sydney", "30 2 * * *", "2026-10-04", "2026-10-03T16:30:00Z", "2026-10-04T03:30:00+11:00", "2026-10-04T03:30"],
    // 01:00 becomes 02:00 on 29 March, 02:00 becomes 01:00 on 25 October.
    ["Europe/London", "30 1 * * *", "2026-03-29", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00+01:00", "2026-03-29T02:30"],
    ["Europe/London", "30 1 * * *", "2026-10-25", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00+01:00", "2026-10-25T01:30"],
    // 02:00 becomes 01:30 on 5 April, 02:00 becomes 02:30 on 4 October.
    ["Australia/Lord_Howe", "45 1 * * *", "2026-04-05", "2026-04-04T14:45:00Z", "2026-04-05T01:45:00+11:00", "2026-04-05T01:45"],
    ["Australia/Lord_Howe", "15 2 * * *", "2026-10-04", "2026-10-03T15:45:00Z", "2026-10-04T02:45:00+11:00", "2026-10-04T02:45"],
    ["Asia/Kathmandu", "0 1 * * *", "2026-03-08", "2026-03-07T19:15:00Z", "2026-03-08T01:00:00+05:45", "2026-03-08T01:00"],
    ["UTC", "0 1 * * *", "2026-03-08", "2026-03-08T01:00:00Z", "2026-03-08T01:00:00+00:00", "2026-03-08T01:00"]
  ])("[SCH-1] %s `%s` fires once on %s", (timeZone, expression, date, utc, local, key) => {
    const fires = nextFires(on(expression, timeZone), new Date(Date.parse(date) - 2 * dayMs), 5)
    expect(fires.filter((fire) => fire.local.startsWith(date))).toStrictEqual([{ at: new Date(utc), utc, local, key }])
  })

  it("[SCH-1] [case 50] New York `30 2` on 2026-03-08 and `30 1` on 2026-11-01 give one run each", () => {
    expect(until(on("30 2 * * *", "America/New_York"), "2026-03-08T05:00Z", "2026-03-09T04:00Z")).toEqual(["2026-03-08T07:30:00Z"])
    expect(until(on("30 1 * * *", "America/New_York"), "2026-11-01T04:00Z", "2026-11-02T05:00Z")).toEqual(["2026-11-01T05:30:00Z"])
  })

  it("[SCH-1] two local times that become one instant fire once", () => {
    expect(until(on("30 2,3 * * *", "America/New_York"), "2026-03-08T05:00Z", "2026-03-09T04:00Z")).toEqual(["2026-03-08T07:30:00Z"])
  })

  it("[SCH-1] a list of hours over the gap stays in order", () => {
    expect(until(on("0,30 1-3 * * *", "America/New_York"), "2026-03-08T05:00Z", "2026-03-09T04:00Z")).toEqual([
      "2026-03-08T06:00:00Z",
      "2026-03-08T06:30:00Z",
      "2026-03-08T07:00:00Z",
      "2026-03-08T07:30:00Z"
    ])
  })

  it.each(["05:30", "05:45", "06:00", "06:15", "06:30"])(
    "[SCH-1] a time that exists twice isn't fired again for one who asks at %sZ",
    (time) => {
      const asked = new Date(`2026-11-01T${time}:00Z`)
      expect(nextFires(on("30 1 * * *", "America/New_York"), asked, 1)[0]?.utc).toBe("2026-11-02T06:30:00Z")
      expect(previousFire(on("30 1 * * *", "America/New_York"), new Date(asked.getTime() + 1))?.utc).toBe("2026-11-01T05:30:00Z")
    }
  )

  it.each(["06:30", "07:00", "07:15"])(
    "[SCH-1] a time that doesn't exist is still to come for one who asks at %sZ, before or after the change",
    (time) => {
      expect(nextFires(on("30 2 * * *", "America/New_York"), new Date(`2026-03-08T${time}:00Z`), 1)[0]?.utc).toBe("2026-03-08T07:30:00Z")
    }
  )

  it("[SCH-1] a day that a zone left out altogether fires with the day after it", () => {
    expect(nextFires(on("0 1 * * *", "Pacific/Apia"), new Date("2011-12-29T00:00:00Z"), 3).map(({ local }) => local)).toEqual([
      "2011-12-29T01:00:00-10:00",
      "2011-12-31T01:00:00+14:00",
      "2012-01-01T01:00:00+14:00"
    ])
  })
})

describe("interval crons", () => {
  it("[SCH-1] [case 51] New York hourly fires at 05, 06 and 07Z on 2026-11-01", () => {
    const fires = nextFires(on("0 * * * *", "America/New_York"), new Date("2026-11-01T04:00:00Z"), 3)
    expect(fires.map(({ utc }) => utc)).toEqual(["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"])
    expect(fires.map(({ local }) => local.slice(11))).toEqual(["01:00:00-04:00", "01:00:00-05:00", "02:00:00-05:00"])
    expect(fires.map(({ key }) => key)).toEqual(["2026-11-01T05:00Z", "2026-11-01T06:00Z", "2026-11-01T07:00Z"])
  })

  it("[SCH-1] [case 51] `*/15` fires at all 192 quarter hours of New York's two days of change", () => {
    const quarters = on("*/15 * * * *", "America/New_York")
    const spring = until(quarters, "2026-03-08T05:00Z", "2026-03-09T04:00Z")
    const autumn = until(quarters, "2026-11-01T04:00Z", "2026-11-02T05:00Z")
    expect([spring.length, autumn.length]).toEqual([92, 100])
    expect(new Set([...spring, ...autumn]).size).toBe(192)
  })

  it.each([
    ["America/New_York", "0 */2 * * *", "2026-03-08T05:00Z", "2026-03-08T10:01Z", "00:00-05 04:00-04 06:00-04"],
    ["America/New_York", "0 */2 * * *", "2026-11-01T04:00Z", "2026-11-01T09:01Z", "00:00-04 02:00-05 04:00-05"],
    ["Australia/Lord_Howe", "*/15 * * * *", "2026-04-04T14:30Z", "2026-04-04T15:31Z", "01:30+11 01:45+11 01:30+10 01:45+10 02:00+10"],
    ["Australia/Lord_Howe", "*/15 * * * *", "2026-10-03T15:15Z", "2026-10-03T16:01Z", "01:45+10 02:30+11 02:45+11 03:00+11"]
  ])("[SCH-1] %s `%s` from %s to %s", (timeZone, expression, from, to, shown) => {
    const fires = until(on(expression, timeZone), from, to)
    const locals = nextFires(on(expression, timeZone), new Date(Date.parse(from) - 1), fires.length).map(({ local }) => local)
    expect(locals.map((local) => local.slice(11, 16) + local.slice(19, 22)).join(" ")).toBe(shown)
  })
})

describe("against someone who watches the clock", () => {
  const expressions = [
    ["*/15 * * * *", "7 * * * *", "0 */2 * * *", "30 */5 * * 1-5", "*/10 */3 1-7 * 0"],
    [
      "30 1 * * *",
      "30 2 * * *",
      "15 2 * * *",
      "45 1,23 * * *",
      "0,30 0-3 * * *",
      "30 0,23 * * *",
      "*/20 0-23 * * *",
      "0 2 1,15 * 0",
      "59 23 28-31 * *"
    ]
  ].flat()

  it.each([
    ["America/New_York", "2025-12-31T05:00Z"],
    ["Australia/Sydney", "2025-12-31T13:00Z"],
    ["Europe/London", "2025-12-31T00:00Z"],
    ["Australia/Lord_Howe", "2025-12-31T13:00Z"],
    ["Asia/Kathmandu", "2025-12-31T18:15Z"],
    ["UTC", "2025-12-31T00:00Z"],
    // The clock skips 23:00 to midnight, and shows it twice.
    ["America/Nuuk", "2025-12-31T02:00Z"],
    // The clock goes back for Ramadan and forward after it.
    ["Africa/Casablanca", "2025-12-31T23:00Z"],
    // The clock went back at one past midnight, into the day before.
    ["America/St_Johns", "2009-12-31T03:30Z"],
    // A year without 30 December.
    ["Pacific/Apia", "2010-12-31T11:00Z"]
  ])("[SCH-1] %s: every fire time of a year from %s, and no other", (timeZone, from) => {
    const clock = wallClock(timeZone, from, 367)
    for (const expression of expressions) {
      const watched = watch(expression, clock)
      const fires = nextFires(on(expression, timeZone), new Date(clock.from - 1), watched.length + 1)
      expect(
        fires.slice(0, -1).map(({ at }) => at.getTime()),
        expression
      ).toEqual(watched)
      expect(fires.at(-1)?.at.getTime(), expression).toBeGreaterThanOrEqual(clock.from + 367 * dayMs)
    }
  })
})

describe("over a decade", () => {
  const zones = ["America/New_York", "Australia/Sydney", "Europe/London", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "America/Nuuk"]
  // With the number of fire times to look at: a decade, and longer for the rare ones.
  const crons = [
    ["0 */6 * * *", 14_612],
    ["30 1,2,3 * * *", 10_959],
    ["30 0,23 * * *", 7_306],
    ["15 2 * * 0", 522],
    ["0 0 L * *", 120],
    ["0 9 * * 1#2", 120],
    ["30 1 29 2 *", 8]
  ] as const
  const start = Date.parse("2020-01-01T00:00:00Z")

  it.each(zones)("[SCH-1] %s: fire times increase, keys are unique, and no starting point skips one", (timeZone) => {
    for (const [expression, count] of crons) {
      const schedule = on(expression, timeZone)
      const fires = nextFires(schedule, new Date(start), count)
      const times = fires.map(({ at }) => at.getTime())
      expect(
        times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0)),
        expression
      ).toBe(true)
      expect(new Set(fires.map(({ key }) => key)).size, expression).toBe(fires.length)
      for (let index = 1; index < fires.length - 3; index += Math.ceil(count / 30)) {
        const [before, fire, after] = [times[index - 1] ?? 0, times[index] ?? 0, times[index + 1] ?? 0]
        const inside = fire + ((index * 7_919_000) % (after - fire))
        expect(
          nextFires(schedule, new Date(inside), 2).map(({ at }) => at.getTime()),
          `${expression} after ${inside}`
        ).toEqual(times.slice(index + 1, index + 3))
        expect(previousFire(schedule, new Date(inside + 1))?.at.getTime(), `${expression} before ${inside}`).toBe(fire)
        expect(previousFire(schedule, new Date(fire))?.at.getTime(), `${expression} before ${fire}`).toBe(before)
      }
    }
  })

  it("[SCH-1] a day that comes every 40 years is found in both directions", () => {
    const fifthMonday = on("0 0 * 2 1#5", "Europe/London")
    expect(nextFires(fifthMonday, new Date("2072-03-01T00:00:00Z"), 1)[0]?.key).toBe("2112-02-29T00:00")
    expect(previousFire(fifthMonday, new Date("2112-02-29T00:00:00Z"))?.key).toBe("2072-02-29T00:00")
  })
})

describe("the machine's own zone", () => {
  const module = new URL("../../../runtime/schedule/fire-times.ts", import.meta.url).href
  const script = `
    import { logicalTimeOf, nextFires, previousFire } from ${JSON.stringify(module)}
    const daily = { expression: "30 2 * * *", timeZone: "America/New_York" }
    const now = new Date("2026-03-08T12:00:00Z")
    console.log(JSON.stringify([nextFires(daily, now, 3), previousFire(daily, now), logicalTimeOf(daily, null, now), logicalTimeOf(null, null, now)]))`
  const runIn = (zone: string): string =>
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", env: { ...process.env, TZ: zone } })

  it("[SCH-1] [case 67] changes nothing", () => {
    expect(runIn("Asia/Tokyo")).toBe(runIn("America/Los_Angeles"))
  })

  it("[SCH-1] [case 67] never stands in for a zone left out: the type refuses that, and so does the plan", () => {
    // @ts-expect-error a schedule without a time zone
    const zoneless = cron("0 1 * * *", { within: "6 hours" })
    expect(checkSchedule(zoneless)).toEqual([expect.objectContaining({ step: "job", problem: "the schedule has no time zone" })])
  })
})
