import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  compile,
  count,
  infer,
  job,
  join,
  jsonl,
  local,
  partition,
  stepsInOrder,
  usd,
  user,
  validate,
  when,
  type Step
} from "../../dsl/index.ts"

const Mail = Schema.Struct({ id: Schema.String })
const Out = Schema.Struct({ topic: Schema.String })
const settings = { model: local("bayes", () => ({ topic: "spam" })), output: Out, prompt: () => [user`hello`] as const }
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const

const mails = jsonl("inbox/*.jsonl", { schema: Mail, key: (mail) => mail.id })
const split = partition(mails)
const triage = infer(split, settings)
const namesOf = (steps: Readonly<Record<string, Step>>): ReadonlyArray<string> => [...job("a", { ...about, steps } as never).names.values()]

describe("names of steps", () => {
  it("are the author's, and an unlisted step is called after the one that reads it", () => {
    const checked = validate(
      when(triage, () => true),
      {}
    )
    expect(namesOf({ mails, checked })).toEqual(["mails", "checked", "checked_when", "checked_when_infer", "checked_when_infer_partition"])
  })

  it("of a join's unlisted branches are those that the join gives them", () => {
    const unlisted = aggregate(join({ right: triage, left: infer(split, settings) }), { count })
    expect(namesOf({ mails, split, triage, unlisted })).toEqual([
      "mails",
      "split",
      "triage",
      "unlisted",
      "unlisted_join",
      "unlisted_join_left"
    ])
  })

  it("keep a listed name wherever the step is read first", () => {
    const reply = infer(triage, settings)
    expect(namesOf({ reply, triage, split, mails }).toSorted()).toEqual(["mails", "reply", "split", "triage"])
  })

  it("are found in one visit a step, however many ways lead to it", () => {
    let row: Step = triage
    for (let depth = 0; depth < 40; depth++)
      row = join({ a: infer(row as typeof triage, settings), b: infer(row as typeof triage, settings) })
    const wide = job("wide", { ...about, steps: { mails, split, triage, row } } as never)
    expect(wide.names.size).toBe(3 + 40 * 3)
    expect(stepsInOrder(wide)).toHaveLength(3 + 40 * 3)
    expect(() => compile(wide)).toThrow(/63 characters at most/)
  })
})
