import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  count,
  deadLetter,
  flag,
  infer,
  job,
  join,
  jsonl,
  local,
  partition,
  retry,
  review,
  system,
  usd,
  user,
  validate,
  when,
  type ModelRequest
} from "../../../dsl/index.ts"
import { pathOf, runItem } from "../../support/item-run.ts"

const Item = Schema.Struct({ id: Schema.String, text: Schema.String })
const Label = Schema.Struct({ label: Schema.Literals(["a", "b"]), score: Schema.Finite })
const items = jsonl("x.jsonl", { schema: Item, key: ({ id }) => id })
const parts = partition(items)
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const
const prompt = (item: typeof Item.Type) => [system`Label it.`, user`${item.text}`] as const
const item = { id: "k", text: "hello" }
const always = (label: string, score = 0.9) => local(`always-${label}`, () => ({ label, score }))
const scripted = (...answers: ReadonlyArray<unknown>) => {
  const seen: Array<ModelRequest> = []
  const model = local("scripted", (request) => {
    seen.push(request)
    const answer = answers[Math.min(seen.length, answers.length) - 1]
    if (answer instanceof Error) throw answer
    return answer
  })
  return { model, seen }
}
const only = <S extends object>(steps: S) => job("test", { ...about, steps } as never)

describe("one model", () => {
  it("[CHK-1] an answered item is delivered at the infer, with one attempt and its answer", async () => {
    const labels = infer(parts, { model: always("a"), prompt, output: Label, confidence: ({ score }) => score })
    const settled = await runItem({ job: only({ labels }), item })
    expect(pathOf(settled)).toEqual(["labels:answered=delivered"])
    expect(settled.at(-1)).toMatchObject({
      finished: "delivered",
      attempts: [{ attempt: 1, outcome: "answered", confidence: 0.9 }],
      answers: [{ output: '{"label":"a","score":0.9}' }]
    })
  })

  it("[VAL-2] an answer that never fits the schema is asked for four times, paid four times, and dead-lettered with the raw answer", async () => {
    const { model, seen } = scripted({ label: "nonsense" })
    const settled = await runItem({ job: only({ labels: infer(parts, { model, prompt, output: Label }) }), item })
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4])
    expect(pathOf(settled)).toEqual(["labels:dead=dead"])
    expect(settled.at(-1)?.stops).toEqual([{ kind: "dead", step: "labels", code: "wrong-schema", rule: null, attempts: 4 }])
    expect(settled.at(-1)?.problems.at(-1)).toMatchObject({ code: "wrong-schema", raw: '{"label":"nonsense"}' })
  })

  it("a model that throws once and then answers delivers on the second attempt", async () => {
    const { model } = scripted(new Error("busy"), { label: "b", score: 1 })
    const settled = await runItem({ job: only({ labels: infer(parts, { model, prompt, output: Label }) }), item })
    expect(settled.map(({ attempts, finished }) => [...attempts.map(({ attempt, outcome }) => [attempt, outcome]), finished])).toEqual([
      [[1, "model-failed"], null],
      [[2, "answered"], "delivered"]
    ])
  })

  it("[case 32] NaN in a model's JSON text is no answer", async () => {
    const { model } = scripted('{"label":"a","score":NaN}')
    const settled = await runItem({ job: only({ labels: infer(parts, { model, prompt, output: Label }) }), item })
    expect(settled.at(-1)?.stops[0]).toMatchObject({ code: "not-json" })
  })

  it("a prompt that throws is the item's fault, not the run's", async () => {
    const labels = infer(parts, {
      model: always("a"),
      prompt: (): ReturnType<typeof prompt> => {
        throw new Error("no text")
      },
      output: Label
    })
    const settled = await runItem({ job: only({ labels }), item })
    expect(settled.at(-1)).toMatchObject({
      finished: "dead",
      stops: [{ code: "prompt-failed" }],
      problems: [{ message: expect.stringContaining("no text") }]
    })
  })

  it("a confidence outside 0 to 1 is refused, with the number in the message", async () => {
    const labels = infer(parts, { model: always("a"), prompt, output: Label, confidence: () => 7 })
    const settled = await runItem({ job: only({ labels }), item })
    expect(settled.at(-1)).toMatchObject({ stops: [{ code: "confidence-failed" }], problems: [{ message: expect.stringContaining("7") }] })
  })

  it("[PAR-2] a partition's label gives its own model and prompt", async () => {
    const { model, seen } = scripted({ label: "b", score: 1 })
    const byText = partition(items, { by: ({ text }): "hello" | "other" => (text === "hello" ? "hello" : "other") })
    const labels = infer(byText, {
      model: always("a"),
      prompt,
      output: Label,
      overrides: { hello: { model, prompt: () => [user`special`] } }
    })
    const settled = await runItem({ job: only({ labels }), item, label: "hello" })
    expect(settled.at(-1)?.answers[0]?.variant.model).toBe("scripted")
    expect(seen[0]?.messages[0]?.text).toBe("special")
    const control = await runItem({ job: only({ labels }), item, label: "other" })
    expect(control.at(-1)?.answers[0]?.variant.model).toBe("always-a")
  })
})

describe("cascade", () => {
  const cascade = (first: number) =>
    infer(parts, {
      model: [local("cheap", () => ({ label: "a", score: first })), local("good", () => ({ label: "b", score: 0.99 }))],
      accept: ({ output }) => output.score > 0.8,
      prompt,
      output: Label
    })

  it("[EXE-10] the second model sees only what the first was not sure of, and each model has its checkpoint", async () => {
    expect(pathOf(await runItem({ job: only({ labels: cascade(0.9) }), item }))).toEqual([
      "labels_1_cheap:answered",
      "labels:answered=delivered"
    ])
    expect(pathOf(await runItem({ job: only({ labels: cascade(0.1) }), item }))).toEqual([
      "labels_1_cheap:deferred",
      "labels_2_good:answered",
      "labels:answered=delivered"
    ])
  })

  it("the first model's answer is settled before the second is called", async () => {
    const settled = await runItem({ job: only({ labels: cascade(0.1) }), item })
    expect(settled.map(({ answers }) => answers.map(({ step }) => step))).toEqual([["labels_1_cheap"], ["labels_2_good"]])
  })
})

describe("confidenceMin", () => {
  const unsure = (score: number, confidenceMin?: number) =>
    infer(parts, {
      model: always("a", score),
      prompt,
      output: Label,
      confidence: (output) => output.score,
      ...(confidenceMin === undefined ? {} : { confidenceMin })
    })

  it("[VAL-4] sends an answer below it to review, with its answer and the reason, and lets through what reaches it", async () => {
    const settled = await runItem({ job: only({ labels: unsure(0.69, 0.7) }), item })
    expect(pathOf(settled)).toEqual(["labels:review=review"])
    expect(settled.at(-1)).toMatchObject({
      finished: "review",
      attempts: [{ outcome: "answered", confidence: 0.69 }],
      answers: [{ step: "labels", output: '{"label":"a","score":0.69}' }],
      checkpoints: [{ answerStep: "labels", code: "low-confidence" }],
      stops: [{ kind: "review", step: "labels", code: "low-confidence", rule: null, attempts: 1 }],
      problems: [{ code: "low-confidence", message: "The answer's confidence is 0.69, below the 0.7 that labels asks for." }]
    })
    expect(pathOf(await runItem({ job: only({ labels: unsure(0.7, 0.7) }), item }))).toEqual(["labels:answered=delivered"])
    expect(pathOf(await runItem({ job: only({ labels: unsure(0.1) }), item }))).toEqual(["labels:answered=delivered"])
  })

  it("[VAL-4] keeps the answer from the rules and the steps behind it", async () => {
    const labels = unsure(0.2, 0.5)
    const checked = validate(labels, { nice: { pass: () => false, orElse: deadLetter } })
    const settled = await runItem({ job: only({ labels, checked }), item })
    expect(pathOf(settled)).toEqual(["labels:review", "checked:review=review"])
    expect(settled.at(-1)?.stops).toMatchObject([{ kind: "review", step: "labels" }])
  })

  it.each([
    { first: 0.9, last: 0.1, path: ["labels_1_cheap:answered", "labels:answered=delivered"] },
    { first: 0.1, last: 0.6, path: ["labels_1_cheap:deferred", "labels_2_good:answered", "labels:answered=delivered"] },
    { first: 0.1, last: 0.3, path: ["labels_1_cheap:deferred", "labels_2_good:answered", "labels:review=review"] }
  ])("[VAL-4] looks at the answer that a cascade settles on: $first, then $last", async ({ first, last, path }) => {
    const labels = infer(parts, {
      model: [local("cheap", () => ({ label: "a", score: first })), local("good", () => ({ label: "b", score: last }))],
      accept: ({ output }) => output.score > 0.8,
      prompt,
      output: Label,
      confidence: ({ score }) => score,
      confidenceMin: 0.5
    })
    expect(pathOf(await runItem({ job: only({ labels }), item }))).toEqual(path)
  })

  it("[VAL-4] [CHK-2] what waits for review waits after a resume, and no model is asked again", async () => {
    const labels = unsure(0.2, 0.5)
    const checked = validate(labels, { nice: { pass: () => true, orElse: deadLetter } })
    const settled = await runItem({ job: only({ labels, checked }), item })
    const before = settled.map((one) => ({ ...one, finished: null, checkpoints: one.checkpoints.filter(({ step }) => step === "labels") }))
    const resumed = await runItem({ job: only({ labels, checked }), item, before })
    expect(resumed.flatMap(({ attempts }) => attempts)).toEqual([])
    expect(pathOf(resumed)).toEqual(["checked:review=review"])
  })
})

describe("rules", () => {
  const labels = infer(parts, { model: always("a", 0.4), prompt, output: Label })

  it("[VAL-3] an advisory rule flags and lets through; a required one stops with its name", async () => {
    const checked = validate(labels, {
      nice: { pass: () => false, orElse: flag },
      sure: { pass: ({ output }) => output.score > 0.5, orElse: deadLetter }
    })
    const settled = await runItem({ job: only({ checked }), item })
    expect(settled.at(-1)).toMatchObject({
      finished: "dead",
      flags: [{ step: "checked", rule: "nice" }],
      stops: [{ kind: "dead", rule: "sure", code: "rule" }]
    })
    expect(pathOf(settled)).toEqual(["checked_infer:answered", "checked:dead=dead"])
  })

  it("[VAL-4] a review verdict holds the item for a person", async () => {
    const checked = validate(labels, { sure: { pass: ({ output }) => output.score > 0.5, orElse: review } })
    expect(pathOf(await runItem({ job: only({ labels, checked }), item }))).toEqual(["labels:answered", "checked:review=review"])
  })

  it("a rule that throws stops the item: it has not said yes", async () => {
    const checked = validate(labels, {
      broken: {
        pass: () => {
          throw new Error("regex")
        },
        orElse: flag
      }
    })
    const settled = await runItem({ job: only({ labels, checked }), item })
    expect(settled.at(-1)).toMatchObject({
      finished: "dead",
      stops: [{ code: "rule-failed", rule: "broken" }],
      problems: [{ message: expect.stringContaining("regex") }]
    })
  })

  it("[case 38] a retry shows the model its answer and why, all calls are counted, and the repair prompt doesn't pile up", async () => {
    const { model, seen } = scripted({ label: "a", score: 0.1 }, { label: "a", score: 0.2 }, { label: "b", score: 0.9 })
    const asked = infer(parts, { model, prompt, output: Label })
    const checked = validate(asked, {
      sure: { pass: ({ output }) => output.score > 0.5, orElse: retry({ attemptsMax: 3, feedback: "be sure" }) }
    })
    const settled = await runItem({ job: only({ asked, checked }), item })
    expect(pathOf(settled)).toEqual(["asked:answered", "checked:passed=delivered"])
    expect(settled.flatMap(({ attempts }) => attempts.map(({ attempt }) => attempt))).toEqual([1, 2, 3])
    expect(seen.map(({ messages }) => messages.length)).toEqual([2, 3, 3])
    expect(seen[2]?.messages[2]?.text).toContain("be sure")
    expect(seen[2]?.messages[2]?.text).toContain("0.2")
    expect(seen[2]?.messages[2]?.text).not.toContain("0.1")
  })

  it("in a cascade, a retry that leaves the first model unsure goes on to the next one, which has all its tries and never gave that answer", async () => {
    const cheap = scripted({ label: "a", score: 0.9 }, { label: "b", score: 0.1 })
    const strong = scripted({ label: "b", score: 0.95 })
    const asked = infer(parts, {
      model: [cheap.model, { ...strong.model, name: "strong" }],
      accept: ({ output }) => output.score > 0.5,
      prompt,
      output: Label
    })
    const checked = validate(asked, {
      other: { pass: ({ output }) => output.label !== "a", orElse: retry({ attemptsMax: 3, feedback: "not a" }) }
    })
    const settled = await runItem({ job: only({ asked, checked }), item })
    expect(cheap.seen.map(({ attempt, messages }) => [attempt, messages.length])).toEqual([
      [1, 2],
      [2, 3]
    ])
    expect(strong.seen.map(({ attempt, messages }) => [attempt, messages.length])).toEqual([[1, 2]])
    expect(settled.at(-1)?.finished).toBe("delivered")
  })

  it("a retry that never satisfies its rule ends as a dead letter after attemptsMax calls", async () => {
    const { model, seen } = scripted({ label: "a", score: 0.1 })
    const asked = infer(parts, { model, prompt, output: Label })
    const checked = validate(asked, { sure: { pass: ({ output }) => output.score > 0.5, orElse: retry({ attemptsMax: 3 }) } })
    const settled = await runItem({ job: only({ asked, checked }), item })
    expect(seen).toHaveLength(3)
    expect(settled.at(-1)).toMatchObject({ finished: "dead", stops: [{ rule: "sure", attempts: 3 }] })
  })
})

describe("DAG", () => {
  const left = infer(parts, { model: always("a"), prompt, output: Label })
  const right = infer(parts, { model: always("b"), prompt, output: Label })

  it("[case 18] a join brings branches of one item together, one field a branch", async () => {
    const both = join({ left, right })
    const settled = await runItem({ job: only({ left, right, both }), item })
    expect(settled.at(-1)?.answers.at(-1)).toMatchObject({
      step: "both",
      output: '{"left":{"label":"a","score":0.9},"right":{"label":"b","score":0.9}}',
      variant: { model: "always-a+always-b" }
    })
  })

  it("[case 18] an item that one branch lost is lost at the join, and at no other item's place", async () => {
    const bad = infer(parts, { model: scripted(new Error("down")).model, prompt, output: Label })
    const settled = await runItem({ job: only({ left, bad, both: join({ left, bad }) }), item })
    expect(pathOf(settled)).toEqual(["left:answered", "bad:dead", "both:dead=dead"])
  })

  it("over several terminal steps an item counts once, as its worst", async () => {
    const some = when(left, () => false)
    const checked = validate(right, { never: { pass: () => false, orElse: review } })
    const settled = await runItem({ job: only({ some, checked }), item })
    expect(settled.at(-1)?.finished).toBe("review")
    expect(pathOf(settled)).toContain("some:skipped=skipped")
  })

  it("a `when` before an infer saves its call", async () => {
    const { model, seen } = scripted({ label: "a", score: 1 })
    const settled = await runItem({
      job: only({
        labels: infer(
          when(parts, ({ text }) => text === "other"),
          { model, prompt, output: Label }
        )
      }),
      item
    })
    expect(seen).toHaveLength(0)
    expect(pathOf(settled)).toEqual(["labels:skipped=skipped"])
  })

  it("callbacks may be async or Effects", async () => {
    const asked = infer(parts, {
      model: local("slow", async () => ({ label: "a", score: 1 })),
      prompt: async (row) => prompt(row),
      output: Label
    })
    const checked = validate(asked, { yes: { pass: () => Effect.succeed(true), orElse: deadLetter } })
    expect(pathOf(await runItem({ job: only({ asked, checked }), item }))).toEqual(["asked:answered", "checked:passed=delivered"])
  })
})

describe("resume", () => {
  it("[CHK-2] from the checkpoints after any settlement, an item ends as it would have, without asking again what is durable", async () => {
    const cheap = local("cheap", () => ({ label: "a", score: 0.1 }))
    const good = local("good", () => ({ label: "b", score: 0.95 }))
    const first = infer(parts, { model: [cheap, good], accept: ({ output }) => output.score > 0.8, prompt, output: Label })
    const second = infer(
      when(first, ({ output }) => output.label === "b"),
      { model: always("a"), prompt: ({ item: row }) => prompt(row), output: Label }
    )
    const side = infer(parts, { model: always("b"), prompt, output: Label })
    const both = join({ first, second, side })
    const checked = validate(both, {
      fine: { pass: ({ output }) => output.side.label === "b", orElse: deadLetter },
      odd: { pass: () => false, orElse: flag }
    })
    const of = only({ first, second, side, checked, total: aggregate(checked, { total: count }) })
    const whole = await runItem({ job: of, item })
    expect(whole.length).toBeGreaterThan(3)
    for (let durable = 0; durable < whole.length; durable++) {
      const before = whole.slice(0, durable)
      const after = await runItem({ job: of, item, before })
      const rows = [...before, ...after]
      expect([...pathOf(rows)].toSorted()).toEqual([...pathOf(whole)].toSorted())
      expect(rows.flatMap(({ answers }) => answers)).toEqual(whole.flatMap(({ answers }) => answers))
      expect(rows.flatMap(({ attempts }) => attempts)).toHaveLength(whole.flatMap(({ attempts }) => attempts).length)
      expect(after.at(-1)?.finished).toBe("delivered")
    }
  })

  it("[CHK-2] an answer that a rule refused is durable: the rules see it again, and calls go on counting behind it", async () => {
    const asked: Array<number> = []
    const counting = local("counting", ({ attempt }) => {
      asked.push(attempt)
      return { label: "a", score: attempt / 10 }
    })
    const labels = infer(parts, { model: counting, prompt, output: Label })
    const checked = validate(labels, { enough: { pass: ({ attempt }) => attempt === 3, orElse: retry({ attemptsMax: 3 }) } })
    const of = only({ labels, checked })
    const whole = await runItem({ job: of, item })
    expect(asked).toEqual([1, 2, 3])
    for (let durable = 0; durable < whole.length; durable++) {
      asked.length = 0
      const before = whole.slice(0, durable)
      const after = await runItem({ job: of, item, before })
      expect(asked).toEqual([1, 2, 3].slice(durable))
      const rows = [...before, ...after]
      expect(rows.flatMap(({ answers }) => answers.map(({ attempt }) => attempt))).toEqual([1, 2, 3])
      expect(pathOf(rows)).toEqual(pathOf(whole))
    }
  })
})
