/** What validation adds to an item: decoding by a schema of ten fields and five rules, beside a bare `JSON.parse` of the same text. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { deadLetter, flag, infer, job, jsonl, openai, partition, review, usd, user, validate } from "../../dsl/index.ts"
import { makeGraph } from "../../runtime/execute/graph.ts"
import { judge } from "../../runtime/execute/judge.ts"
import { answerJson } from "../../runtime/provider/answer-json.ts"
import { line } from "./bench-line.ts"
import { median } from "./run-process.ts"

const Claim = Schema.Struct({
  kind: Schema.Literals(["motor", "home", "travel", "health"]),
  decision: Schema.Literals(["pay", "decline", "ask"]),
  amount: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 })),
  currency: Schema.String,
  reason: Schema.NonEmptyString,
  sections: Schema.Array(Schema.String),
  isUrgent: Schema.Boolean,
  contact: Schema.Struct({ name: Schema.String, phone: Schema.NullOr(Schema.String) }),
  note: Schema.NullOr(Schema.String),
  confidence: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
})

const claims = jsonl("claims.jsonl", { schema: Schema.Struct({ id: Schema.String }), key: ({ id }) => id })
const decided = infer(partition(claims), {
  model: openai("gpt-5-mini", { account: "desk" }),
  prompt: ({ id }) => [user`${id}`],
  output: Claim,
  confidence: ({ confidence }) => confidence,
  maxTokens: 200
})
const checked = validate(decided, {
  hasReason: { pass: ({ output }) => output.reason.length > 10, orElse: deadLetter },
  inDollars: { pass: ({ output }) => /^[A-Z]{3}$/.test(output.currency), orElse: deadLetter },
  paysSomething: { pass: ({ output }) => output.decision !== "pay" || output.amount > 0, orElse: review },
  cites: { pass: ({ output }) => output.sections.length > 0, orElse: review },
  calm: { pass: ({ output }) => output.note === null || !output.note.includes("!"), orElse: flag }
})
const graph = makeGraph(
  job("claims", { owner: "bench", purpose: "bench", classification: "internal", budget: usd(1), steps: { claims, decided, checked } })
)

const textOf = (index: number): string =>
  JSON.stringify({
    kind: "motor",
    decision: index % 3 === 0 ? "pay" : "decline",
    amount: index + 1,
    currency: "AUD",
    reason: `The windscreen was broken by a stone on the motorway, claim ${index}.`,
    sections: ["4.2", "7.1"],
    isUrgent: false,
    contact: { name: `Claimant ${index}`, phone: null },
    note: null,
    confidence: 0.93
  })

const items = 50_000
const rounds = 7

export const benchValidate = async (): Promise<void> => {
  const texts = Array.from({ length: items }, (_, index) => textOf(index))
  const infers = graph.rows.find((node) => node.kind === "infer")
  const rules = graph.rows.find((node) => node.kind === "validate")
  if (infers?.kind !== "infer" || rules?.kind !== "validate") throw new Error("The bench's job has both steps")
  const services = Context.empty()
  const time = async (work: () => unknown): Promise<number> => {
    const began = performance.now()
    await work()
    return ((performance.now() - began) * 1_000) / items
  }
  const bare: Array<number> = []
  const read: Array<number> = []
  const whole: Array<number> = []
  const answerOf = (text: string) => {
    const found = answerJson(text)
    if (!("value" in found)) throw new Error(found.fault)
    const output = infers.decodeReply("openai", found.value)
    const json = JSON.stringify(infers.encode(output))
    return { output, json, confidence: infers.definition.confidence?.(output) }
  }
  for (let round = 0; round < rounds; round++) {
    bare.push(
      await time(() => {
        for (const text of texts) JSON.parse(text)
      })
    )
    read.push(
      await time(() => {
        for (const text of texts) answerOf(text)
      })
    )
    whole.push(
      await time(() =>
        Effect.runPromise(
          Effect.gen(function* () {
            for (const text of texts) {
              const { output } = answerOf(text)
              const judged = yield* judge(rules, { key: "k", item: { id: "k" }, output, model: "gpt-5-mini", attempt: 1 }, services)
              if (judged.kind !== "passed") throw new Error("Every answer of the bench passes")
            }
          })
        )
      )
    )
  }
  const [parse, decode, all] = [median(bare), median(read), median(whole)]
  const added = all - parse
  const us = (value: number): string => `${value.toFixed(1)} µs an item`
  line("JSON.parse alone", us(parse), "")
  line("decoded, encoded, confidence", `${us(decode)} (${(decode / parse).toFixed(1)} × JSON.parse)`, "")
  line("and five rules", `${us(all)} (${(all / parse).toFixed(1)} × JSON.parse)`, "")
  line("validation adds", us(added), "≤ 15 µs an item", added <= 15)
}
