/**
 * Looks for the clause that could hurt most in each supply contract, and takes no answer whose quote isn't in the contract.
 * It asks OpenAI through its Batch API, for half the price: nobody waits for a contract.
 * Without a key, of a provider that runs on this machine: npm run example:contracts
 * With your own, for about a cent: OPENAI_API_KEY=… npx runtime run examples/contract-risk.ts
 */
import { Schema } from "effect"
import { aggregate, count, countBy, deadLetter, files, flag, infer, job, openai, partition, report } from "nightshift"
import { retry, review, system, usd, user, validate } from "nightshift"

// A scan of which most is missing is rejected when it is read, before anybody is paid to read it.
const Contract = Schema.Struct({ name: Schema.NonEmptyString, text: Schema.String.check(Schema.isMinLength(400)) })

const Risk = Schema.Struct({
  risk: Schema.Literals(["low", "medium", "high"]),
  clause: Schema.Literals(["liability", "termination", "renewal", "charges", "data", "none"]),
  evidence: Schema.String,
  reason: Schema.String,
  confidence: Schema.Finite
})

// The model with all that matters for its cost: whose key, which tier, how much thinking. What it costs is looked up.
const mini = openai("gpt-5-mini", {
  account: "openai", // the key is OPENAI_API_KEY's, or where accounts.json says
  tier: "batch",
  approvedFor: "confidential", // a job of confidential data asks no model that nobody approved for it
  parameters: { reasoning: { effort: "low" } }
})

// One contract stands in the folder twice. The two make one and the same request, and it is paid for once.
const contracts = files("examples/data/contracts/*.txt", {
  schema: Contract,
  parse: (file) => ({ name: file.path.replace(/\.txt$/, ""), text: file.text() }),
  key: (contract) => contract.name
})

const risks = infer(partition(contracts), {
  model: mini,
  prompt: (contract) => [
    system`You read supply contracts for the Customer. Find the one clause that could hurt the Customer most.
risk: high if it could cost more than the contract is worth or bind the Customer for years, medium if it is one-sided, low if it is usual.
clause: what the clause is about, or none if nothing is out of the ordinary.
evidence: that clause, copied word for word from the contract; empty if clause is none.
reason: one sentence for a buyer who is no lawyer.
confidence: from 0 to 1, how sure you are that a lawyer would agree.`,
    user`${contract.text}`
  ],
  output: Risk,
  confidence: (output) => output.confidence,
  maxTokens: 1_000 // bounds what an answer can cost, its reasoning included
})

/** Lines are broken anew by whoever copies a sentence. */
const words = (text: string) => text.replace(/\s+/g, " ").trim()

const trusted = validate(risks, {
  // The rule that matters: a made-up quote is asked for again once, then given up on.
  quoted: {
    pass: ({ item, output }) => words(item.text).includes(words(output.evidence)),
    orElse: retry({ attemptsMax: 2, feedback: "The evidence does not stand in the contract. Copy it word for word." })
  },
  complete: { pass: ({ output }) => (output.clause === "none") === (output.evidence === "") && output.reason !== "", orElse: deadLetter },
  sure: { pass: ({ output }) => output.confidence >= 0.7, orElse: review },
  harmless: { pass: ({ output }) => output.risk !== "high", orElse: flag }
})

const totals = aggregate(trusted, {
  contracts: count,
  byRisk: countBy(({ output }) => output.risk),
  byClause: countBy(({ output }) => output.clause)
})
const high = aggregate(trusted, (db) =>
  db
    .selectFrom("rows")
    .innerJoin("items", "items.item_key", "rows.item_key")
    .select(["name", "clause", "evidence"])
    .where("risk", "=", "high")
    .orderBy("name")
)

const summary = report(totals, ({ contracts, byRisk, byClause }) => {
  const { none, ...clauses } = byClause
  const told = Object.entries(clauses).map(([clause, contracts]) => `${clause} ${contracts}`)
  return `# ${byRisk.high} of ${contracts} contracts need a lawyer\n\n${byRisk.medium} are one-sided, ${byRisk.low} are as usual. What is wrong: ${told.join(", ")}; nothing in ${none}.`
})
const forTheLawyer = report(high, (rows) =>
  rows.map(({ name, clause, evidence }) => `- **${name}** (${clause}): “${words(evidence)}”`).join("\n")
)

export default job("contract-risk", {
  owner: "procurement",
  purpose: "Find the supply contracts that need a lawyer",
  classification: "confidential",
  budget: usd(1),
  steps: { contracts, risks, trusted, totals, high, summary, forTheLawyer }
})
