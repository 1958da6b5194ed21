/**
 * Reads the day's tickets, says what each is about and how urgent, and drafts a reply where the handbook has one.
 * Try it: npx runtime run jobs/support-desk.ts --date 2026-03-02    (exit code 3: one draft speaks of a refund)
 */
import { Schema } from "effect"
import {
  aggregate,
  count,
  countBy,
  cron,
  csv,
  infer,
  job,
  join,
  partition,
  report,
  retry,
  review,
  system,
  usd,
  user,
  validate,
  when
} from "nightshift"

import { Handbook } from "./desk/handbook.ts"
import { topics, urgency, writer } from "./desk/models.ts"

const Ticket = Schema.Struct({ id: Schema.NonEmptyString, product: Schema.String, text: Schema.NonEmptyString })

const tickets = csv(({ date }) => `jobs/data/tickets/${date}.csv`, { schema: Ticket, key: (ticket) => ticket.id })
const byProduct = partition(tickets, { by: (ticket) => ticket.product })

const topic = infer(byProduct, {
  model: topics,
  prompt: (ticket) => [system`What is this ticket about?`, user`${ticket.text}`],
  output: Schema.Struct({ topic: Schema.Literals(["outage", "billing", "how-to", "other"]) })
})
const haste = infer(byProduct, {
  model: urgency,
  prompt: (ticket) => [system`Does this ticket have to be answered within the hour?`, user`${ticket.text}`],
  output: Schema.Struct({ isUrgent: Schema.Boolean })
})
const sorted = join({ topic, haste })

const answerable = when(sorted, ({ output }) => output.topic.topic !== "other")
const draft = infer(answerable, {
  model: writer,
  prompt: ({ item, output }) =>
    Handbook.useSync((handbook) => [
      system`Draft a reply from the article.`,
      user`The article: ${handbook.articleOn(output.topic.topic)}\n\nThe ticket: ${item.text}`
    ]),
  output: Schema.Struct({ reply: Schema.NonEmptyString })
})
const checked = validate(draft, {
  brief: {
    pass: ({ output }) => output.reply.length <= 160,
    orElse: retry({ attemptsMax: 2, feedback: "Leave out what the customer wrote." })
  },
  noMoney: { pass: ({ item }) => !/refund/i.test(item.text), orElse: review }
})

const queues = aggregate(sorted, (db) =>
  db
    .selectFrom("rows")
    .innerJoin("items", "items.item_key", "rows.item_key")
    .select((of) => [
      "topic_topic as topic",
      "product",
      of.fn.countAll<number>().as("tickets"),
      of.fn.sum<number>(of.case().when("haste_isUrgent", "=", true).then(1).else(0).end()).as("urgent")
    ])
    .groupBy(["topic_topic", "product"])
    .orderBy("urgent", "desc")
    .orderBy("topic_topic")
    .orderBy("product")
)
const drafts = aggregate(checked, { total: count, byTries: countBy(({ attempt }) => (attempt === 1 ? "at once" : "after feedback")) })

const morning = report(queues, (rows) =>
  [
    "| topic | product | tickets | urgent |",
    "| --- | --- | ---: | ---: |",
    ...rows.map(({ topic, product, tickets, urgent }) => `| ${topic} | ${product} | ${tickets} | ${urgent} |`)
  ].join("\n")
)
const outbox = report(drafts, ({ total, byTries }) => `${total} drafts are ready, ${byTries["after feedback"]} of them at the second try.`)

export default job("support-desk", {
  owner: "support",
  purpose: "Answer customers on the day they write",
  classification: "confidential",
  consumers: ["helpdesk"],
  retention: "30 days",
  schedule: cron("0 5 * * 1-5", { timeZone: "Australia/Sydney", within: "2 hours" }),
  budget: usd(15),
  services: Handbook.fromFile("jobs/data/handbook.json"),
  steps: { tickets, byProduct, topic, haste, sorted, answerable, draft, checked, queues, drafts, morning, outbox }
})
