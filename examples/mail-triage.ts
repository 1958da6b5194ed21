/**
 * Sorts 6,046 real mails, offline: parsed from raw text, asked of two small models, held against rules, counted and measured.
 * Read it from top to bottom: a step takes the step that it reads, and what doesn't fit together doesn't compile.
 * Run it: npx runtime run examples/mail-triage.ts    (exit code 3: what the models were unsure of waits for a person)
 */
import { Schema } from "effect"
import { aggregate, countBy, deadLetter, files, flag, infer, partition, report, review, system, user, validate } from "nightshift"
import { cron, job, usd } from "nightshift"

import { measuresTable, outcomeOf } from "./mail/measure.ts"
import { content, envelope } from "./mail/models.ts"
import { Mail, parseMail, Topic } from "./mail/parse-mail.ts"
import { corpus } from "./mail/spam-filter.ts"

// Where the items come from: one raw mail a file. A file that can't be parsed is set aside, named and counted; the others go on.
const mails = files(`${corpus}/*/*.txt`, { schema: Mail, key: (mail) => mail.id, parse: parseMail })

// The units of work, with about as much text in each: no worker ends up with all the long mails.
const balanced = partition(mails, { weight: (mail) => mail.body.length })

// What is asked of which model. The two learned from three tenths of these mails and run in this process, for nothing.
const triage = infer(balanced, {
  model: [envelope, content], // a cascade: the second is asked only where the first wasn't sure
  accept: ({ output }) => output.confidence >= 0.95,
  // The text is the instruction. Each ${} is data, and no mail can turn itself into an instruction.
  prompt: (mail) => [system`Is this mail spam, or ham (mail that is wanted)?`, user`From ${mail.from}: ${mail.subject}\n\n${mail.body}`],
  output: Schema.Struct({ topic: Topic, confidence: Schema.Finite }),
  confidence: (output) => output.confidence
})

// What becomes of a mail whose answer breaks a rule: given up on, shown to a person, or let through with a mark.
const trusted = validate(triage, {
  notEmpty: { pass: ({ item }) => item.body !== "", orElse: deadLetter },
  confident: { pass: ({ output }) => output.confidence >= 0.9, orElse: review },
  dated: { pass: ({ item }) => item.date !== null, orElse: flag }
})

// What the answers come to: by reducers, or by SQL whose tables and columns the compiler knows.
const allAnswers = aggregate(triage, { outcomes: countBy(outcomeOf), byModel: countBy(({ model }) => model) })
const trustedAnswers = aggregate(trusted, { outcomes: countBy(outcomeOf), byTopic: countBy(({ output }) => output.topic) })
const lostMail = aggregate(trusted, (db) =>
  db
    .selectFrom("rows")
    .innerJoin("items", "items.item_key", "rows.item_key")
    .select(["subject", "confidence"])
    .where("topic", "=", "spam")
    .where("truth", "=", "ham")
    .orderBy("confidence", "desc")
    .orderBy("items.item_key")
    .limit(5)
)

// What a person reads when the run is done, in the terminal and beside the plots of the report's page.
const morning = report(trustedAnswers, ({ byTopic, outcomes }) => {
  return `# ${byTopic.spam} spam and ${byTopic.ham} ham, sorted without a person\n\n${measuresTable(outcomes)}`
})
const allMail = report(allAnswers, ({ byModel, outcomes }) => {
  return `# All answers: ${byModel["envelope"]} by the envelope, ${byModel["content"]} by the content\n\n${measuresTable(outcomes)}`
})
const apology = report(lostMail, (rows) => {
  return `# Wanted mail that was surest to be spam\n\n${rows.map(({ subject }) => `- ${subject}`).join("\n")}`
})

export default job("mail-triage", {
  owner: "service-desk",
  purpose: "Route correspondence",
  classification: "internal",
  consumers: ["ticketing"],
  retention: "90 days",
  schedule: cron("0 1 * * *", { timeZone: "Australia/Sydney", within: "6 hours" }),
  budget: usd(40),
  passRateMin: 0.95, // what the two models and the rules let through is 97.6 %: below this, a person is asked before anything is released
  steps: { mails, balanced, triage, trusted, allAnswers, trustedAnswers, lostMail, morning, allMail, apology }
})
