import { describe, expect, it } from "vitest"

import { checkSchedule, nextFires } from "../../../runtime/schedule/fire-times.ts"

const faults = (expression: string, timeZone = "UTC"): ReadonlyArray<string> =>
  checkSchedule({ expression, timeZone }).map(({ step, problem }) => {
    expect(step).toBe("job")
    return problem
  })

const dates = (expression: string, count: number): string =>
  nextFires({ expression, timeZone: "UTC" }, new Date("2026-01-01T00:00:00Z"), count)
    .map(({ key }) => key.slice(0, 10))
    .join(" ")

describe("an expression", () => {
  it.each([
    "0 1 * * *",
    "*/15 * * * *",
    "0 9-17/2 * * MON-FRI",
    "  0   1 * JAN,jul *  ",
    "0 0 29 2 *",
    "0 0 31 2 1",
    "5/15 * * * *",
    "0 0 * * 7",
    "* * * * *"
  ])("[SCH-1] `%s` is fine", (expression) => {
    expect(faults(expression)).toEqual([])
  })

  it.each([
    ["60 * * * *", 'the minute field "60"', "expected range 0-59"],
    ["0 24 * * *", 'the hour field "24"', "expected range 0-23"],
    ["0 22-2 * * *", 'the hour field "22-2"', "min(22) > max(2)"],
    ["0 0 0 * *", 'the day of the month field "0"', "expected range 1-31"],
    ["0 0 W * *", 'the day of the month field "W"', "Invalid characters"],
    ["0 0 1 13 *", 'the month field "13"', "expected range 1-12"],
    ["0 0 1 JANN *", 'the month field "JANN"', "Invalid characters"],
    ["0 0 * * 8", 'the day of the week field "8"', "expected range 0-7"],
    ["0 0 * * FOO", 'the day of the week field "FOO"', 'cannot resolve alias "foo"'],
    ["0 0 * * 0,7", 'the day of the week field "0,7"', "duplicate values found: 0"],
    ["*/0 * * * *", 'the minute field "*/0"', "cannot repeat at every 0 time"],
    ["*/90 * * * *", 'the minute field "*/90"', "which has 60 values, so 90 is never reached"],
    ["H 3 * * *", 'the minute field "H"', '"H" has no meaning in it'],
    ["0 0 ? * *", 'the day of the month field "?"', '"?" has no meaning in it'],
    [", * * * *", 'the minute field ","', "Invalid list value format"]
  ])("[SCH-1] `%s` is refused by the name of its field", (expression, field, reason) => {
    expect(faults(expression)).toEqual([expect.stringContaining(`${field} of the schedule "${expression}" can't be read: `)])
    expect(faults(expression)[0]).toContain(reason)
  })

  it("[SCH-1] all fields that can't be read are named at once, each with what it takes", () => {
    expect(checkSchedule({ expression: "61 25 * * FOO", timeZone: "Mars" }).map(({ remedy }) => remedy)).toEqual([
      "the minute takes 0-59, *, lists (1,3), ranges (1-5) and steps (*/2)",
      "the hour takes 0-23, *, lists (1,3), ranges (1-5) and steps (*/2)",
      "the day of the week takes 0-7 or SUN-SAT (0 and 7 are Sunday), FRI#2 for the second Friday, FRIL for the last, *, lists (1,3), ranges (1-5) and steps (*/2)",
      'name a place, whose clock changes are known: "Europe/London", "Australia/Sydney", or "UTC"'
    ])
  })

  it.each([
    ["", 0],
    ["0 1 * *", 4],
    ["0 0 1 * * *", 6],
    ["@daily", 1]
  ])("[SCH-1] `%s` is refused: it has %i of five fields", (expression, count) => {
    expect(checkSchedule({ expression, timeZone: "UTC" })).toEqual([
      {
        step: "job",
        problem: `the schedule "${expression}" has ${count} ${count === 1 ? "field" : "fields"}, not five`,
        remedy: 'write minute, hour, day of the month, month and day of the week: "0 1 * * *" is 01:00 every day'
      }
    ])
  })

  it.each(["0 0 31 2 *", "0 0 30,31 2 *", "0 0 31 2,4,6,9,11 *", "*/5 * 30 FEB *"])(
    "[SCH-1] [case 53] `%s` is refused: it never fires",
    (expression) => {
      expect(checkSchedule({ expression, timeZone: "UTC" })).toEqual([
        {
          step: "job",
          problem: `the schedule "${expression}" never fires: no month it names has such a day`,
          remedy: 'name a day that comes: "0 0 L 2 *" is the last day of February'
        }
      ])
    }
  )

  it.each([
    ["0 0 L * *", "2026-01-31 2026-02-28 2026-03-31 2026-04-30"],
    ["0 0 L 2 *", "2026-02-28 2027-02-28 2028-02-29 2029-02-28"],
    ["0 0 15,L * *", "2026-01-15 2026-01-31 2026-02-15 2026-02-28"],
    ["0 0 * * FRIL", "2026-01-30 2026-02-27 2026-03-27 2026-04-24"],
    ["0 0 * * FRI#2", "2026-01-09 2026-02-13 2026-03-13 2026-04-10"],
    ["0 0 * * MON,5L", "2026-01-05 2026-01-12 2026-01-19 2026-01-26 2026-01-30"],
    // Either day will do, as in POSIX cron.
    ["0 0 13 * FRI", "2026-01-02 2026-01-09 2026-01-13 2026-01-16"]
  ])("[SCH-1] `%s` fires on %s", (expression, expected) => {
    expect(faults(expression)).toEqual([])
    expect(dates(expression, expected.split(" ").length)).toBe(expected)
  })
})

describe("a time zone", () => {
  it.each([
    "UTC",
    "Europe/London",
    "America/Argentina/Buenos_Aires",
    "America/Port-au-Prince",
    "Asia/Kathmandu",
    "Etc/GMT+5",
    "US/Pacific"
  ])("[SCH-1] %s is fine", (timeZone) => {
    expect(faults("0 1 * * *", timeZone)).toEqual([])
  })

  // Node itself takes the first four: fixed offsets, and letters that stand for several places.
  it.each(["EST", "IST", "CST", "+05:00", "utc+3", "Sydney", "Mars/Phobos", "America/NewYork", "Europe/London "])(
    "[SCH-1] %s is refused, with an example",
    (timeZone) => {
      expect(checkSchedule({ expression: "0 1 * * *", timeZone })).toEqual([
        {
          step: "job",
          problem: `"${timeZone}" is no time zone of the IANA database in the form Area/City`,
          remedy: 'name a place, whose clock changes are known: "Europe/London", "Australia/Sydney", or "UTC"'
        }
      ])
    }
  )

  it("[SCH-1] [case 67] an empty one is refused, not read as the machine's", () => {
    expect(faults("0 1 * * *", "")).toEqual(["the schedule has no time zone"])
  })
})
