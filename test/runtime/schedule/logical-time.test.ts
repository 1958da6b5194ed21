import { describe, expect, it } from "vitest"

import { logicalTimeOf, type Schedule } from "../../../runtime/schedule/fire-times.ts"

const on = (expression: string, timeZone: string): Schedule => ({ expression, timeZone })
const daily = on("0 1 * * *", "Australia/Sydney")
const now = new Date("2026-11-25T12:00:00Z")

const span = (schedule: Schedule | null, date: string | null, at = now): string => {
  const logical = logicalTimeOf(schedule, date, at)
  if ("problem" in logical) return `${logical.step}: ${logical.problem} → ${logical.remedy}`
  expect(logical.logicalTime).toEqual(schedule === null ? logical.interval.start : logical.interval.end)
  return `${logical.date}: ${[logical.interval.start, logical.interval.end].map((each) => each.toISOString().slice(0, 16)).join(" ")}`
}

describe("with a schedule", () => {
  it("without a date a run is about the last fire time, and reads what came since the one before", () => {
    expect(span(daily, null)).toBe("2026-11-25: 2026-11-23T14:00 2026-11-24T14:00")
  })

  it("a run started at the fire time itself is about that one, a millisecond earlier about the one before", () => {
    expect(span(daily, null, new Date("2026-11-24T14:00:00.000Z"))).toBe("2026-11-25: 2026-11-23T14:00 2026-11-24T14:00")
    expect(span(daily, null, new Date("2026-11-24T13:59:59.999Z"))).toBe("2026-11-24: 2026-11-22T14:00 2026-11-23T14:00")
  })

  it("asked again about its own logical time, a run stays what it was", () => {
    for (const schedule of [daily, on("*/15 * * * *", "America/New_York"), on("30 2 * * *", "America/New_York")]) {
      const first = logicalTimeOf(schedule, null, new Date("2026-03-08T12:00:00Z"))
      if ("problem" in first) throw new Error(first.problem)
      expect(logicalTimeOf(schedule, null, first.logicalTime)).toEqual(first)
    }
  })

  it.each([
    [daily, "2026-11-20", "2026-11-20: 2026-11-18T14:00 2026-11-19T14:00"],
    // The day has 25 hours in Sydney, then 23.
    [on("0 3 * * *", "Australia/Sydney"), "2026-04-05", "2026-04-05: 2026-04-03T16:00 2026-04-04T17:00"],
    [on("0 3 * * *", "Australia/Sydney"), "2026-10-04", "2026-10-04: 2026-10-02T17:00 2026-10-03T16:00"],
    // The time that doesn't exist belongs to its day.
    [on("30 2 * * *", "America/New_York"), "2026-03-08", "2026-03-08: 2026-03-07T07:30 2026-03-08T07:30"],
    // Of several fire times on a date it is the last.
    [on("0 8,20 * * *", "Asia/Kathmandu"), "2026-11-20", "2026-11-20: 2026-11-20T02:15 2026-11-20T14:15"],
    [on("*/15 * * * *", "America/New_York"), "2026-11-01", "2026-11-01: 2026-11-02T04:30 2026-11-02T04:45"],
    // The clock went back at one past midnight: minutes of Saturday the 6th came after the first of Sunday.
    [on("* * * * *", "America/St_Johns"), "2010-11-06", "2010-11-06: 2010-11-07T03:28 2010-11-07T03:29"],
    [on("0 12 29 2 *", "UTC"), "2024-02-29", "2024-02-29: 2020-02-29T12:00 2024-02-29T12:00"],
    // The farthest zones of either side.
    [on("0 0 * * *", "Pacific/Kiritimati"), "2026-11-20", "2026-11-20: 2026-11-18T10:00 2026-11-19T10:00"],
    [on("59 23 * * *", "Pacific/Pago_Pago"), "2026-11-20", "2026-11-20: 2026-11-20T10:59 2026-11-21T10:59"]
  ])("%o on %s is about %s", (schedule, date, expected) => {
    expect(span(schedule, date)).toBe(expected)
  })

  it("a date it doesn't fire on is refused, with the nearest two", () => {
    expect(span(on("0 1 * * MON", "America/New_York"), "2026-11-25")).toBe(
      'job: the schedule "0 1 * * MON" doesn\'t fire on 2026-11-25 in America/New_York → ' +
        "take a date it fires on, the nearest: 2026-11-23 (2026-11-23T01:00:00-05:00) or 2026-11-30 (2026-11-30T01:00:00-05:00)"
    )
  })

  it("a date that a zone left out is refused", () => {
    expect(span(on("0 1 * * *", "Pacific/Apia"), "2011-12-30")).toContain(
      "the nearest: 2011-12-29 (2011-12-29T01:00:00-10:00) or 2011-12-31 (2011-12-31T01:00:00+14:00)"
    )
  })

  it("a schedule with a fault is refused as the plan refuses it", () => {
    expect(span(on("0 0 31 2 *", "UTC"), null)).toContain("never fires")
    expect(span(on("0 1 * * *", "Sydney"), "2026-11-25")).toContain('"Sydney" is no time zone')
  })
})

describe("without a schedule", () => {
  it("a run is about a day of UTC from its start on: today, or the date given", () => {
    expect(span(null, null)).toBe("2026-11-25: 2026-11-25T00:00 2026-11-26T00:00")
    expect(span(null, "2024-02-29")).toBe("2024-02-29: 2024-02-29T00:00 2024-03-01T00:00")
  })
})

it.each([
  "2026-02-30",
  "2026-13-01",
  "2026-00-10",
  "2025-02-29",
  "yesterday",
  "2026-1-5",
  "20261125",
  "2026-11-25T00:00",
  " 2026-11-25",
  ""
])("%j is no date", (date) => {
  const refusal = `job: "${date}" is no date → write the year, month and day of one that exists: 2026-11-25`
  expect(span(null, date)).toBe(refusal)
  expect(span(daily, date)).toBe(refusal)
})
