import { describe, expect, it } from "vitest"

import { Nearest } from "../../../runtime/execute/nearest.ts"

const nearest = (wanted: string, keys: ReadonlyArray<string>) => {
  const near = new Nearest(wanted)
  for (const key of keys) near.add(key)
  return near.best
}

describe("the nearest keys", () => {
  it("are at most three, those with the fewest edits first", () => {
    expect(nearest("mail-17", ["letter", "mail-1", "mail-99", "mail-71", "mail-18"])).toEqual(["mail-1", "mail-18", "mail-99"])
  })

  it("that contain what was typed come before any that only look like it, the shortest first", () => {
    expect(nearest("00001", ["00002", "spam/00001.7848dd", "ham/00001.b", "00011"])).toEqual(["ham/00001.b", "spam/00001.7848dd", "00002"])
  })

  it("don't mind upper and lower case", () => {
    expect(nearest("T-1001", ["x", "t-1001", "y"])[0]).toBe("t-1001")
  })

  it("of no keys are none", () => {
    expect(nearest("a", [])).toEqual([])
  })
})
