/**
 * A job with every kind of step, whose answers are functions of the item alone. Each call of a callback that counts is written to a
 * side log before it answers, so that what was asked is known whatever died.
 */
import { closeSync, constants, openSync, writeSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

import { Schema } from "effect"
import {
  aggregate,
  count,
  countBy,
  deadLetter,
  flag,
  infer,
  job,
  join,
  jsonl,
  local,
  mean,
  partition,
  report,
  retry,
  review,
  sum,
  system,
  usd,
  user,
  validate,
  when
} from "nightshift"

const input = process.env["FAULT_INPUT"] ?? "items.jsonl"
const logFile = process.env["FAULT_LOG"] ?? "calls.log"

const log = openSync(logFile, constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY)
process.on("exit", () => closeSync(log))
/** One `write` of one short line: appended whole or not at all. */
const note = (...words: ReadonlyArray<string | number>): void => void writeSync(log, `${words.join(" ")}\n`)

const Item = Schema.Struct({
  id: Schema.NonEmptyString,
  kind: Schema.Literals(["letter", "form", "note"]),
  text: Schema.String,
  n: Schema.Int
})
const Label = Schema.Struct({ label: Schema.Literals(["long", "short"]), score: Schema.Finite, n: Schema.Int })
const Mood = Schema.Struct({ mood: Schema.Literals(["calm", "angry"]) })
const Reply = Schema.Struct({ reply: Schema.NonEmptyString })

/** Answers after a few milliseconds, in an order that has nothing to do with the items'. */
const model = (step: string, answer: (n: number, attempt: number, data: ReadonlyArray<unknown>) => unknown) =>
  local(
    step,
    async ({ data, attempt }) => {
      const n = Number(data[0])
      note("call", step, n, attempt)
      await sleep(1 + ((n * 7919) % 4))
      return answer(n, attempt, data)
    },
    { version: "1" }
  )

const items = jsonl(() => input, {
  schema: Item,
  key: ({ id, n }) => {
    note("key", n)
    return id
  }
})
const byKind = partition(items, { by: ({ kind }) => kind })

const cheap = model("cheap", (n, attempt) => {
  if (n % 50 === 7 && attempt === 1) return "no JSON"
  if (n % 100 === 9) throw new Error("this model never knows")
  return { label: n % 3 === 0 ? "long" : "short", score: (n % 10) / 10, n }
})
const strong = model("strong", (n, attempt) => ({
  label: n % 2 === 0 ? "long" : "short",
  score: n % 13 === 0 && attempt === 1 ? 0.1 : 0.95,
  n: n % 29 === 0 ? -1 : n
}))

const triage = infer(byKind, {
  model: [cheap, strong],
  accept: ({ output }) => output.score >= 0.2,
  confidence: (output) => output.score,
  output: Label,
  prompt: ({ n, text }) => [system`Is it long?`, user`${n}: ${text}`]
})
const checked = validate(triage, {
  known: { pass: ({ item }) => item.n % 97 !== 0, orElse: deadLetter },
  again: {
    pass: ({ output, attempt }) => output.score !== 0.5 || attempt >= 1 + (output.n % 4),
    orElse: retry({ attemptsMax: 3, feedback: "Look again" })
  },
  steady: { pass: async ({ output }) => output.score !== 0.1, orElse: retry({ attemptsMax: 2 }) },
  sure: { pass: ({ output }) => output.n >= 0, orElse: review },
  tidy: { pass: ({ item }) => item.n % 11 !== 0, orElse: flag }
})
const mood = infer(
  when(byKind, ({ n }) => n % 3 === 0),
  {
    model: model("moody", (n) => ({ mood: n % 5 === 0 ? "angry" : "calm" })),
    output: Mood,
    prompt: ({ n }) => [user`${n}: how is the mood?`]
  }
)
const both = join({ checked, mood })
const replies = infer(
  when(checked, ({ output }) => output.label === "long"),
  {
    model: model("writer", (n, _, data) => ({ reply: `${n} ${String(data[1])}` })),
    output: Reply,
    prompt: ({ item, output }) => [user`${item.n} is ${output.label}`]
  }
)
const polite = validate(replies, { brief: { pass: ({ output }) => output.reply.length < 60, orElse: flag } })

const mix = aggregate(both, {
  total: count,
  byLabel: countBy(({ output }) => output.checked.label),
  byModel: countBy(({ model: name }) => name),
  score: mean(({ output }) => output.checked.score),
  n: sum(({ item }) => {
    note("sum", item.n)
    return item.n
  })
})
const labels = aggregate(checked, (db) =>
  db
    .selectFrom("rows")
    .innerJoin("items", "items.item_key", "rows.item_key")
    .select(["label", "kind", db.fn.countAll<number>().as("found"), db.fn.sum<number>("score").as("score")])
    .groupBy(["label", "kind"])
    .orderBy("label")
    .orderBy("kind")
)
const said = report(mix, ({ total, byLabel, n }) => {
  note("report")
  return `${total} items, ${byLabel.long} long, ${n} in sum.`
})
const table = report(labels, (rows) => rows.map(({ label, kind, found }) => `${kind} ${label}: ${found}`).join("\n"))

export default job("fault", {
  owner: "test",
  purpose: "Be killed",
  classification: "public",
  consumers: ["nobody"],
  budget: usd(1),
  passRateMin: 0,
  failureRateMax: 1,
  steps: { items, byKind, triage, checked, mood, both, replies, polite, mix, labels, said, table }
})
