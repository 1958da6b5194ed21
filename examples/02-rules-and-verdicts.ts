/**
 * Rules: what an answer must satisfy, and what becomes of its item when it doesn't. An item is never lost, it ends somewhere.
 * `retry` asks again, `deadLetter` gives up, `review` asks a person, and `flag` lets the item go on with a mark.
 * Run it: npx runtime run examples/02-rules-and-verdicts.ts    (exit code 3: dead letters and reviews are open)
 */
import { Schema } from "effect"
import {
  aggregate,
  count,
  deadLetter,
  flag,
  infer,
  job,
  jsonl,
  local,
  mean,
  partition,
  report,
  retry,
  review,
  system,
  usd,
  user,
  validate
} from "nightshift"

const Ticket = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String })
const Headline = Schema.Struct({ headline: Schema.String })

// Answers with the first sentence, and when asked again with as many of its words as fit (the feedback is the last of its data).
const firstSentence = local("first-sentence", ({ data, attempt }) => {
  const [sentence = ""] = String(data[0]).match(/^.*?[.!?](?=\s|$)/) ?? [String(data[0])]
  return { headline: attempt === 1 ? sentence : sentence.slice(0, 50).replace(/\S*$/, "").trim() || sentence }
})

const tickets = jsonl("examples/data/02-rules-and-verdicts.jsonl", { schema: Ticket, key: (ticket) => ticket.id })

const headlines = infer(partition(tickets), {
  model: firstSentence,
  prompt: (ticket) => [system`Write a headline for this ticket.`, user`${ticket.text}`],
  output: Headline
})

// Tried in this order; the first that stops the item decides. A rule sees the item, the answer and the model's name.
const ready = validate(headlines, {
  hasText: { pass: ({ item }) => item.text !== "", orElse: deadLetter },
  harmless: { pass: ({ item }) => !/lawyer|injur/i.test(item.text), orElse: review },
  short: { pass: ({ output }) => output.headline.length <= 50, orElse: retry({ attemptsMax: 3, feedback: "Use at most 50 characters." }) },
  calm: { pass: ({ output }) => output.headline !== output.headline.toUpperCase(), orElse: flag }
})

const totals = aggregate(ready, { tickets: count, tries: mean(({ attempt }) => attempt) })

const summary = report(totals, ({ tickets, tries }) => `${tickets} headlines are ready, after ${tries?.toFixed(2)} tries on average.`)

export default job("rules-and-verdicts", {
  owner: "support",
  purpose: "Give each ticket a headline",
  classification: "internal",
  budget: usd(1),
  steps: { tickets, headlines, ready, totals, summary }
})
