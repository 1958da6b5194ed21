/**
 * Reads the day's invoices from text, and passes on those that can be booked as they stand.
 * Try it: npx runtime run jobs/invoice-check.ts --date 2026-03-02    (exit code 3: a wrong sum, a missing number, a letter)
 */
import { Schema } from "effect"
import {
  aggregate,
  count,
  cron,
  deadLetter,
  files,
  flag,
  infer,
  job,
  partition,
  report,
  review,
  sum,
  system,
  usd,
  user,
  validate
} from "nightshift"

import { Invoice, reader } from "./invoice/reader.ts"

const Page = Schema.Struct({ name: Schema.NonEmptyString, text: Schema.NonEmptyString })

const pages = files(({ date }) => `jobs/data/invoices/${date}/*.txt`, {
  schema: Page,
  parse: (file) => ({ name: file.path.replace(/\.txt$/, ""), text: file.text() }),
  key: (page) => page.name
})

const invoices = infer(partition(pages), {
  model: reader,
  prompt: (page) => [system`Take this invoice apart.`, user`${page.text}`],
  output: Invoice
})

const cents = (amount: number) => Math.round(amount * 100)

const bookable = validate(invoices, {
  numbered: { pass: ({ output }) => output.number !== null, orElse: deadLetter },
  addsUp: { pass: ({ output }) => cents(output.amounts.reduce((sum, amount) => sum + amount, 0)) === cents(output.total), orElse: review },
  timeToPay: { pass: ({ output }) => Date.parse(output.due) - Date.parse(output.issued) >= 14 * 86_400_000, orElse: flag }
})

const totals = aggregate(bookable, { invoices: count, dollars: sum(({ output }) => output.total) })
const suppliers = aggregate(bookable, (db) =>
  db
    .selectFrom("rows")
    .select(({ fn }) => ["supplier", fn.countAll<number>().as("invoices"), fn.sum<number>("total").as("dollars")])
    .groupBy("supplier")
    .orderBy("supplier")
)

const headline = report(totals, ({ invoices, dollars }) => `${invoices} invoices of $${dollars.toFixed(2)} in all can be booked.`)
const list = report(suppliers, (rows) =>
  rows.map(({ supplier, invoices, dollars }) => `- ${supplier}: ${invoices}, $${dollars.toFixed(2)}`).join("\n")
)

export default job("invoice-check", {
  owner: "accounts-payable",
  purpose: "Book supplier invoices",
  classification: "confidential",
  consumers: ["ledger"],
  retention: "2557 days", // seven years, as the tax office asks
  schedule: cron("0 3 * * *", { timeZone: "Australia/Sydney", within: "3 hours" }),
  budget: usd(10),
  steps: { pages, invoices, bookable, totals, suppliers, headline, list }
})
