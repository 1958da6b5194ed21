import { describe, expect, it } from "vitest"

import { measure, measuresTable, outcomeOf } from "../../../examples/mail/measure.ts"

describe("the measures", () => {
  const counts = { "spam as spam": 90, "spam as ham": 10, "ham as ham": 195, "ham as spam": 5, learned: 1_000 }

  it("are shares of the mails that the filters had not seen", () => {
    const { judged, accuracy, spam, ham } = measure(counts)
    expect(judged).toBe(300)
    expect(accuracy).toBeCloseTo(285 / 300)
    expect(spam.precision).toBeCloseTo(90 / 95)
    expect(spam.recall).toBeCloseTo(90 / 100)
    expect(ham.precision).toBeCloseTo(195 / 205)
    expect(ham.recall).toBeCloseTo(195 / 200)
  })

  it("read as a table", () => {
    expect(measuresTable(counts)).toBe(
      [
        "Held against the labels of the 300 mails that the models had not learned from: accuracy 95.0 %.",
        "",
        "| topic | precision | recall |",
        "| --- | ---: | ---: |",
        "| spam | 94.7 % | 90.0 % |",
        "| ham | 95.1 % | 97.5 % |"
      ].join("\n")
    )
  })

  it("are null, never NaN, where nothing was judged", () => {
    const none = { precision: null, recall: null }
    expect(measure({ learned: 3 })).toEqual({ judged: 0, accuracy: null, spam: none, ham: none })
    expect(measuresTable({})).toContain("| spam | – | – |")
  })
})

describe("the outcome of an answer", () => {
  const item = { id: "easy-ham-1/00001.7c53336b37003a9286aba55d2945844c", truth: "ham" as const }

  it("says what was said of what", () => {
    expect(outcomeOf({ item, output: { topic: "spam" } })).toBe("ham as spam")
  })

  it("is apart for a mail that the filters learned from", () => {
    const learned = Array.from({ length: 100 }, (_, index) => outcomeOf({ item: { ...item, id: `${index}` }, output: { topic: "ham" } }))
    expect(new Set(learned)).toEqual(new Set(["learned", "ham as ham"]))
  })
})
