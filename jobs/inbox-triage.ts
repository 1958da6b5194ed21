/**
 * Sorts the day's mail before the service desk opens: jobs/data/inbox/<date>/ holds an export for each office.
 * Try it: npx runtime run jobs/inbox-triage.ts --date 2026-03-01    (exit code 3: one dead letter, one mail for a person)
 */
import { Schema } from "effect"
import {
  aggregate,
  count,
  countBy,
  cron,
  deadLetter,
  infer,
  job,
  jsonl,
  partition,
  report,
  review,
  system,
  usd,
  user,
  validate
} from "nightshift"

import { headers, wording } from "./inbox/models.ts"

const Mail = Schema.Struct({ id: Schema.NonEmptyString, from: Schema.String, subject: Schema.String, body: Schema.String })
const Triage = Schema.Struct({ topic: Schema.Literals(["spam", "list", "personal"]), confidence: Schema.Finite })

const mails = jsonl(({ date }) => `jobs/data/inbox/${date}/*.jsonl`, { schema: Mail, key: (mail) => mail.id })
const balanced = partition(mails, { weight: (mail) => mail.body.length })

const triage = infer(balanced, {
  model: [headers, wording],
  accept: ({ output }) => output.confidence >= 0.9,
  prompt: (mail) => [system`Name the topic of this mail.`, user`${mail.from}\n${mail.subject}\n\n${mail.body}`],
  output: Triage,
  confidence: (output) => output.confidence
})

const trusted = validate(triage, {
  notEmpty: { pass: ({ item }) => item.body.trim() !== "", orElse: deadLetter },
  confident: { pass: ({ output }) => output.confidence >= 0.6, orElse: review }
})

const mix = aggregate(trusted, { total: count, byTopic: countBy(({ output }) => output.topic) })
const morning = report(
  mix,
  ({ total, byTopic }) => `${total} mails: ${byTopic.personal} to answer, ${byTopic.list} from lists, ${byTopic.spam} spam.`
)

export default job("inbox-triage", {
  owner: "service-desk",
  purpose: "Route correspondence",
  classification: "internal",
  consumers: ["ticketing"],
  retention: "90 days",
  schedule: cron("0 1 * * *", { timeZone: "Australia/Sydney", within: "6 hours" }),
  budget: usd(40),
  steps: { mails, balanced, triage, trusted, mix, morning }
})
