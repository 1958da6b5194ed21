import { describe, expect, it } from "vitest"

import { dollars } from "../../../runtime/report/text.ts"

describe("dollars", () => {
  it.each([
    [0, "$0.00"],
    [0.000746, "$0.00075"],
    [0.0144, "$0.014"],
    [0.05, "$0.05"],
    [0.0996, "$0.10"],
    [0.1, "$0.10"],
    [12.345, "$12.35"],
    [1234.5, "$1,234.50"],
    [Number.NaN, "–"]
  ])("%d reads as %s: whole cents, and below ten of them the two digits that count", (value, text) => {
    expect(dollars(value)).toBe(text)
  })
})
