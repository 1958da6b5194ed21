import { describe, expect, it } from "vitest"

import { learn, type Lesson } from "../../../examples/mail/naive-bayes.ts"

const lesson = (topic: Lesson["topic"], ...words: ReadonlyArray<string>): Lesson => ({ topic, words: new Set(words) })

/** Of 100 mails with "offer" 80 are spam; of 100 with "meeting" 80 are ham. */
const lessons = Array.from({ length: 200 }, (_, index) => {
  // In tens, so that each fold holds as many exceptions.
  const isUsual = Math.floor(index / 10) % 10 < 8
  return index % 2 === 0 ? lesson(isUsual ? "spam" : "ham", "offer") : lesson(isUsual ? "ham" : "spam", "meeting")
})

describe("what it answers", () => {
  const classify = learn(lessons)

  it("is the topic that the words came in", () => {
    expect(classify(new Set(["offer"])).topic).toBe("spam")
    expect(classify(new Set(["meeting"])).topic).toBe("ham")
  })

  it("is as sure as it was right on mails that it had not learned from", () => {
    expect(classify(new Set(["offer"])).confidence).toBeCloseTo(0.8, 1)
    expect(classify(new Set(["meeting"])).confidence).toBeCloseTo(0.8, 1)
  })

  it("is less sure when the words disagree", () => {
    expect(classify(new Set(["offer", "meeting"])).confidence).toBeLessThan(classify(new Set(["offer"])).confidence)
  })

  it("is a number from 0.5 to 1 for a mail without a word, with unknown words only, and with very many", () => {
    const mails = [new Set<string>(), new Set(["never", "seen"]), new Set(Array.from({ length: 100_000 }, (_, index) => `${index}`))]
    for (const words of mails) {
      const { confidence } = classify(words)
      expect(confidence).toBeGreaterThanOrEqual(0.5)
      expect(confidence).toBeLessThanOrEqual(1)
    }
  })

  it("is the same from the same lessons, and from a classifier that answered before", () => {
    const again = learn(lessons)
    for (const words of [new Set(["offer"]), new Set(["meeting", "offer"]), new Set<string>()]) {
      expect(again(words)).toEqual(classify(words))
      expect(classify(words)).toEqual(classify(words))
    }
  })
})

describe("lessons", () => {
  it("may be as few as one of each topic", () => {
    const { topic, confidence } = learn([lesson("spam", "offer"), lesson("ham", "meeting")])(new Set(["offer"]))
    expect(topic).toBe("spam")
    expect(confidence).toBeLessThan(1)
  })

  it("never make it certain, however well they part", () => {
    const apart = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? lesson("spam", "offer") : lesson("ham", "meeting")))
    const { confidence } = learn(apart)(new Set(["offer"]))
    expect(confidence).toBeGreaterThan(0.9)
    expect(confidence).toBeLessThan(1)
  })

  it("of one topic only are refused, with the counts", () => {
    expect(() => learn([lesson("ham", "meeting")])).toThrow("A classifier learns from mails of both topics; these are 0 spam and 1 ham.")
    expect(() => learn([])).toThrow("0 spam and 0 ham")
  })
})
