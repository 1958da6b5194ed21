/**
 * Steps as a graph: two questions about each item side by side, joined by item, and a third where the answers call for one.
 * `item` is the input row at every step, however deep, and `output` is the answer of the step that is read.
 * Run it: npx runtime run examples/05-chain-and-join.ts
 */
import { Schema } from "effect"
import { aggregate, count, countBy, infer, job, join, jsonl, local, partition, report, system, usd, user, when } from "nightshift"

const Message = Schema.Struct({ id: Schema.NonEmptyString, product: Schema.String, text: Schema.String })

const topics = local("topics", ({ data }) => {
  const text = String(data)
  return { topic: /delivery|tracking/i.test(text) ? "delivery" : /charged|invoice/i.test(text) ? "payment" : "product" }
})
const temper = local("temper", ({ data }) => ({ isAngry: /furious|angry|unacceptable/i.test(String(data)) }))
const letters = local("letters", ({ data: [product, topic] }) => ({
  reply: `We are sorry about your ${product} (${topic}) and will call you today.`
}))

const messages = jsonl("examples/data/05-chain-and-join.jsonl", { schema: Message, key: (message) => message.id })
const spread = partition(messages)

// Fan out: both read the partition, and neither waits for the other's items.
const topic = infer(spread, {
  model: topics,
  prompt: (message) => [system`What is this message about?`, user`${message.text}`],
  output: Schema.Struct({ topic: Schema.Literals(["delivery", "payment", "product"]) })
})
const mood = infer(spread, {
  model: temper,
  prompt: (message) => [system`Is the writer angry?`, user`${message.text}`],
  output: Schema.Struct({ isAngry: Schema.Boolean })
})

// Join: by item, never by position. Its output has a field for each branch.
const both = join({ topic, mood })

// Chain: only angry messages go on. The others end as "skipped" on this branch, which is an end like any other.
const angry = when(both, ({ output }) => output.mood.isAngry)
const reply = infer(angry, {
  model: letters,
  prompt: ({ item, output }) => [system`Apologise.`, user`For the ${item.product}, because of ${output.topic.topic}.`],
  output: Schema.Struct({ reply: Schema.NonEmptyString })
})

const overview = aggregate(both, { total: count, byTopic: countBy(({ output }) => output.topic.topic) })
const replies = aggregate(reply, { total: count })

const inbox = report(
  overview,
  ({ total, byTopic }) => `${total} messages: ${byTopic.delivery} delivery, ${byTopic.payment} payment, ${byTopic.product} product.`
)
const outbox = report(replies, ({ total }) => `${total} replies to angry customers.`)

export default job("chain-and-join", {
  owner: "customer-care",
  purpose: "Answer complaints on the day they arrive",
  classification: "confidential",
  budget: usd(1),
  steps: { messages, spread, topic, mood, both, angry, reply, overview, replies, inbox, outbox }
})
