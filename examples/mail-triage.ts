/**
 * Sorts 6,046 real mails from raw text to a measured answer, offline: parsed, asked of two small models, held against rules, counted.
 * Read it from top to bottom; each step takes the one it reads. It ends with exit code 3: what the models were unsure of waits for a person.
 * Run it: npx runtime run examples/mail-triage.ts
 */
import { Schema } from "effect"
import {
  aggregate,
  count,
  countBy,
  cron,
  deadLetter,
  files,
  flag,
  infer,
  job,
  local,
  partition,
  report,
  review,
  system,
  usd,
  user,
  validate,
  type ModelRequest
} from "nightshift"

import { measure, measuresTable, outcomeOf } from "./mail/measure.ts"
import { Mail, parseMail, Topic } from "./mail/parse-mail.ts"
import { corpus, filters } from "./mail/spam-filter.ts"

// Where items come from: one raw mail a file. A file that can't be parsed is rejected with its name and counted; the others go on.
const mails = files(`${corpus}/*/*.txt`, { schema: Mail, key: (mail) => mail.id, parse: parseMail })

// Units of work with about the same amount of text in each, so that no worker ends up with all the long mails.
const balanced = partition(mails, { weight: (mail) => mail.body.length })

// Two models, trained on three tenths of the mails. Models are values: openai("…", { account: "…" }) could stand in either's place.
const read = ({ messages }: ModelRequest) => {
  const [from = "", subject = "", body = ""] = messages.flatMap(({ data }) => data).map(String)
  return { from, subject, body }
}
const envelope = local("envelope", async (request) => (await filters()).byEnvelope(read(request)))
const content = local("content", async (request) => (await filters()).byContent(read(request)))

const triage = infer(balanced, {
  model: [envelope, content], // a cascade: the second is asked only where the first wasn't sure
  accept: ({ output }) => output.confidence >= 0.95,
  // The literal text instructs; each ${} is data, which no mail can turn into an instruction.
  prompt: (mail) => [system`Is this mail spam, or ham (what its reader wants)?`, user`${mail.from}\n${mail.subject}\n\n${mail.body}`],
  output: Schema.Struct({ topic: Topic, confidence: Schema.Finite }),
  confidence: (output) => output.confidence
})

// What becomes of an answer that breaks a rule: given up on, shown to a person, or only marked.
const sorted = validate(triage, {
  notEmpty: { pass: ({ item }) => item.body !== "", orElse: deadLetter },
  confident: { pass: ({ output }) => output.confidence >= 0.9, orElse: review },
  dated: { pass: ({ item }) => item.date !== null, orElse: flag }
})

// Many answers to a few values: by reducers, or by SQL that the compiler knows the columns of.
const all = aggregate(triage, { outcomes: countBy(outcomeOf), byModel: countBy(({ model }) => model) })
const passed = aggregate(sorted, { total: count, byTopic: countBy(({ output }) => output.topic), outcomes: countBy(outcomeOf) })
const mistakes = aggregate(sorted, (db) =>
  db
    .selectFrom("rows")
    .innerJoin("items", "items.item_key", "rows.item_key")
    .select(["rows.topic", "rows.confidence", "items.subject"])
    .whereRef("rows.topic", "<>", "items.truth")
    .orderBy("rows.confidence", "desc")
    .orderBy("rows.item_key")
    .limit(5)
)

const morning = report(
  passed,
  ({ total, byTopic, outcomes }) =>
    `# ${total} mails sorted without a person: ${byTopic.spam} spam, ${byTopic.ham} ham\n\nHow good these answers are, by the labels of ${measuresTable(measure(outcomes))}`
)
const quality = report(
  all,
  ({ outcomes, byModel }) =>
    `# Every answer, those too that went to a person\n\nThe envelope settled ${byModel["envelope"]}, the content ${byModel["content"]}. Judged by ${measuresTable(measure(outcomes))}`
)
const surprises = report(mistakes, (rows) =>
  [
    "# Sure and wrong",
    "",
    ...rows.map(({ topic, confidence, subject }) => `- ${(confidence * 100).toFixed(1)} % ${topic}: ${subject}`)
  ].join("\n")
)

export default job("mail-triage", {
  owner: "service-desk",
  purpose: "Route correspondence",
  classification: "internal",
  consumers: ["ticketing"],
  retention: "90 days",
  schedule: cron("0 1 * * *", { timeZone: "Australia/Sydney", within: "6 hours" }),
  budget: usd(40),
  steps: { mails, balanced, triage, sorted, all, passed, mistakes, morning, quality, surprises }
})
