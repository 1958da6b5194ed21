/** Sorts yesterday's mail before the service desk opens. */
import { Schema } from "effect"
import { aggregate, count, countBy, cron, deadLetter, infer, job, jsonl, partition, report, review, system, usd, user, validate } from "nightshift"
import { bayes, haiku } from "./models.ts"

const Mail = Schema.Struct({ id: Schema.NonEmptyString, subject: Schema.String, body: Schema.String })
const Triage = Schema.Struct({ topic: Schema.Literals(["spam", "list", "personal"]), confidence: Schema.Finite })

const mails = jsonl("inbox/*.jsonl", { schema: Mail, key: (mail) => mail.id })
const balanced = partition(mails, { weight: (mail) => mail.body.length })

const triage = infer(balanced, {
  model: [bayes, haiku],
  accept: ({ output }) => output.confidence >= 0.9,
  prompt: (mail) => [system`Name the topic of this mail.`, user`${mail.subject}\n\n${mail.body}`],
  output: Triage,
  maxTokens: 64
})

const trusted = validate(triage, {
  notEmpty: { pass: ({ item }) => item.body.trim() !== "", orElse: deadLetter },
  confident: { pass: ({ output }) => output.confidence >= 0.6, orElse: review }
})

const mix = aggregate(trusted, { total: count, byTopic: countBy(({ output }) => output.topic) })
const morning = report(mix, ({ total, byTopic }) => `${total} mails, ${byTopic.spam} of them spam.`)

export default job("mail-triage", {
  owner: "service-desk", purpose: "Route correspondence", classification: "internal",
  schedule: cron("0 1 * * *", { timeZone: "Australia/Sydney", within: "6 hours" }),
  budget: usd(40),
  steps: { mails, balanced, triage, trusted, mix, morning }
})
