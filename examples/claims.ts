/**
 * Decides insurance claims under a long policy: a small model of Anthropic's first, a larger one for what the small one isn't sure of.
 * The policy stands first in every request, so that the provider reads it from its cache, at a tenth of the price, after the first time.
 * Without a key, of a provider that runs on this machine: npm run example:claims
 * With your own, for well under a dollar: ANTHROPIC_API_KEY=… npx runtime run examples/claims.ts
 */
import { readFileSync } from "node:fs"

import { Schema } from "effect"
import { aggregate, anthropic, count, countBy, deadLetter, flag, infer, job, jsonl, partition, report } from "nightshift"
import { retry, review, sum, system, usd, user, validate } from "nightshift"

const policy = readFileSync(new URL("data/claims/policy.md", import.meta.url), "utf8")
const sections = new Set([...policy.matchAll(/^\*\*(\d+\.\d+)/gm)].map(([, section]) => section))

const Claim = Schema.Struct({
  id: Schema.NonEmptyString,
  happened: Schema.String,
  reported: Schema.String,
  claimed: Schema.Finite,
  text: Schema.NonEmptyString
})

const Decision = Schema.Struct({
  decision: Schema.Literals(["pay", "decline", "ask"]),
  section: Schema.String,
  payable: Schema.Finite,
  reason: Schema.String,
  confidence: Schema.Finite
})

const small = anthropic("claude-haiku-4-5", { account: "anthropic", approvedFor: "confidential" })
const large = anthropic("claude-sonnet-4-5", { account: "anthropic", approvedFor: "confidential" })

const claims = jsonl("examples/data/claims/claims.jsonl", { schema: Claim, key: (claim) => claim.id })

const decisions = infer(partition(claims), {
  model: [small, large], // a step each, with checkpoints of its own: a resumed run pays for neither twice
  accept: ({ output }) => output.confidence >= 0.85,
  // What is the same for all claims comes first: a provider caches a prompt from its beginning to the first difference.
  prompt: (claim) => [
    system`You decide claims under the policy below, and under nothing else.
decision, section, reason: as part 9 of the policy has it.
payable: dollars, as 5.4 has it; 0 unless the decision is pay.
confidence: from 0 to 1, how sure you are that the desk would decide alike.

${policy}`,
    user`Happened on ${claim.happened}, reported on ${claim.reported}, claimed ${claim.claimed} dollars:\n${claim.text}`
  ],
  output: Decision,
  confidence: (output) => output.confidence,
  maxTokens: 300
})

const trusted = validate(decisions, {
  datesMakeSense: { pass: ({ item }) => item.happened <= item.reported, orElse: deadLetter },
  citesThePolicy: {
    pass: ({ output }) => sections.has(output.section),
    orElse: retry({ attemptsMax: 2, feedback: "The policy has no such section. Name one that it has, such as 2.4." })
  },
  paysWhatIsOwed: {
    pass: ({ item, output }) => (output.decision === "pay" ? output.payable > 0 && output.payable <= item.claimed : output.payable === 0),
    orElse: retry({ attemptsMax: 2, feedback: "payable must be 0 unless the decision is pay, and no more than what was claimed." })
  },
  sure: { pass: ({ output }) => output.confidence >= 0.7, orElse: review },
  needsNoSignature: { pass: ({ output }) => output.payable <= 1_000, orElse: flag }
})

const totals = aggregate(trusted, {
  claims: count,
  byDecision: countBy(({ output }) => output.decision),
  byModel: countBy(({ model }) => model),
  payable: sum(({ output }) => output.payable)
})
const grounds = aggregate(trusted, (db) =>
  db
    .selectFrom("rows")
    .select(({ fn }) => ["section", "decision", fn.countAll<number>().as("claims"), fn.sum<number>("payable").as("dollars")])
    .groupBy(["section", "decision"])
    .orderBy("claims", "desc")
    .orderBy("section")
    .limit(5)
)

const summary = report(totals, ({ claims, byDecision, byModel, payable }) => {
  const { pay, decline, ask } = byDecision
  const asked = byModel["claude-sonnet-4-5"] ?? 0
  return `# ${claims} claims decided: ${pay} to pay, ${decline} declined, ${ask} to ask about\n\n$${payable.toLocaleString("en-US")} in all. ${asked} of them needed the larger model.`
})
const commonest = report(
  grounds,
  (rows) =>
    `| section | decision | claims | dollars |\n|---|---|---|---|\n${rows.map((row) => `| ${row.section} | ${row.decision} | ${row.claims} | ${row.dollars.toLocaleString("en-US")} |`).join("\n")}`
)

export default job("claims", {
  owner: "claims-desk",
  purpose: "Decide claims that need no person",
  classification: "confidential",
  budget: usd(2),
  steps: { claims, decisions, trusted, totals, grounds, summary, commonest }
})
