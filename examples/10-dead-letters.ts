/**
 * Dead letters and review: what a person does with what a run gave up on. Three receipts are in a currency that the table of rates lacks, and
 * one is so large that somebody must see it. The README walks through it: list, name the cause, mend the table, replay, accept.
 * Run it: npx runtime run examples/10-dead-letters.ts    (exit code 3: three dead letters, one answer to review)
 */
import { readFileSync } from "node:fs"

import { Schema } from "effect"
import { aggregate, count, infer, job, jsonl, local, partition, report, review, sum, system, usd, user, validate } from "nightshift"

const Receipt = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String })
const Total = Schema.Struct({ aud: Schema.Finite })

// The fault, and its mending: a table without Norwegian crowns, and another that has them.
const ratesFile = process.env["RATES"] ?? "examples/data/10-dead-letters/rates.json"

// Reads "… 120.50 NZD …" and converts it. A currency that isn't in the table gives no number, which doesn't fit the output.
const cashier = local("cashier", ({ data }) => {
  const [, amount = "", currency = ""] = /(\d+(?:\.\d\d)?) ([A-Z]{3})/.exec(String(data[0])) ?? []
  const rate = Schema.decodeUnknownSync(Schema.Record(Schema.String, Schema.Finite))(JSON.parse(readFileSync(ratesFile, "utf8")))[currency]
  return rate === undefined ? { aud: `no rate for ${currency}` } : { aud: Math.round(Number(amount) * rate * 100) / 100 }
})

const receipts = jsonl("examples/data/10-dead-letters/receipts.jsonl", { schema: Receipt, key: (receipt) => receipt.id })

const amounts = infer(partition(receipts), {
  model: cashier,
  prompt: (receipt) => [system`What does this receipt come to in Australian dollars?`, user`${receipt.text}`],
  output: Total,
  retriesMax: 0
})

const checked = validate(amounts, { usual: { pass: ({ output }) => output.aud <= 1_000, orElse: review } })

const totals = aggregate(checked, { receipts: count, aud: sum(({ output }) => output.aud) })
const claim = report(totals, ({ receipts, aud }) => `${receipts} receipts, ${aud.toFixed(2)} dollars.`)

export default job("dead-letters", {
  owner: "accounts",
  purpose: "Pay back expenses",
  classification: "internal",
  budget: usd(1),
  steps: { receipts, amounts, checked, totals, claim }
})
