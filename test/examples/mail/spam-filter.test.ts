import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"

import { measure, outcomeOf, type Outcome } from "../../../examples/mail/measure.ts"
import type { Answer } from "../../../examples/mail/naive-bayes.ts"
import { parseMail, type Mail } from "../../../examples/mail/parse-mail.ts"
import { corpus, filters, isTraining, type Filters } from "../../../examples/mail/spam-filter.ts"

const paths = (await readdir(corpus, { recursive: true })).map((path) => path.replaceAll("\\", "/")).filter((path) => path.endsWith(".txt"))
const idOf = (path: string) => path.replace(/\.txt$/, "")

let trained: Filters
/** Every fourth of the mails that the filters didn't learn from. */
let unseen: ReadonlyArray<Mail>
beforeAll(async () => {
  trained = await filters()
  const sample = paths
    .toSorted()
    .filter((path) => !isTraining(idOf(path)))
    .filter((_path, index) => index % 4 === 0)
  unseen = await Promise.all(sample.map(async (path) => parseMail({ path, bytes: await readFile(join(corpus, path)) })))
})

const judge = (classify: (mail: Mail) => Answer, keep: (answer: Answer) => boolean = () => true) => {
  const counts: Partial<Record<Outcome, number>> = {}
  for (const item of unseen) {
    const output = classify(item)
    const outcome = outcomeOf({ item, output })
    if (keep(output)) counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return measure(counts)
}

const cascade = (mail: Mail) => {
  const cheap = trained.byEnvelope(mail)
  return cheap.confidence >= 0.95 ? cheap : trained.byContent(mail)
}

describe("the training part", () => {
  it("is three tenths of the corpus, the same on every machine", () => {
    expect(paths).toHaveLength(6_046)
    expect(paths.filter((path) => isTraining(idOf(path)))).toHaveLength(1_809)
  })
})

describe("on mails that they didn't learn from, the filters", () => {
  it("are right in 96 of 100 by the envelope, and more often by the content", () => {
    const envelope = judge(trained.byEnvelope).accuracy
    const content = judge(trained.byContent).accuracy
    expect(envelope).toBeGreaterThan(0.96)
    expect(content).toBeGreaterThan(envelope ?? 1)
  })

  it("are right where they are confident, and seldom sure where they are wrong", () => {
    for (const classify of [trained.byEnvelope, trained.byContent]) {
      const confident = judge(classify, ({ confidence }) => confidence >= 0.9).accuracy
      const doubtful = judge(classify, ({ confidence }) => confidence < 0.9).accuracy
      expect(confident).toBeGreaterThan(0.98)
      expect(doubtful).toBeLessThan(0.9)
    }
  })

  it("leave between 1 and 10 % to a person as a cascade, and are right in 99 of 100 of the rest", () => {
    const confident = judge(cascade, ({ confidence }) => confidence >= 0.9)
    const doubtful = 1 - confident.judged / unseen.length
    expect(doubtful).toBeGreaterThan(0.01)
    expect(doubtful).toBeLessThan(0.1)
    expect(confident.accuracy).toBeGreaterThan(0.985)
    expect(confident.spam.precision).toBeGreaterThan(0.97)
    expect(confident.spam.recall).toBeGreaterThan(0.97)
  })

  it("answer an empty mail with little confidence", () => {
    const empty = { from: "", subject: "", body: "" }
    for (const classify of [trained.byEnvelope, trained.byContent]) {
      expect(classify(empty).confidence).toBeGreaterThanOrEqual(0.5)
      expect(classify(empty).confidence).toBeLessThan(0.9)
    }
  })

  it("don't look at the label", () => {
    for (const mail of unseen.slice(0, 20)) {
      const mislabelled: Mail = { ...mail, truth: mail.truth === "spam" ? "ham" : "spam" }
      expect(trained.byContent(mislabelled)).toEqual(trained.byContent(mail))
    }
  })

  it("are learned once", async () => {
    expect(await filters()).toBe(trained)
  })
})
