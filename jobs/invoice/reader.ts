/** An embedded model that takes an invoice apart. A larger model would read more layouts than this one. */
import { Schema } from "effect"
import { local } from "nightshift"

/** Amounts are in Australian dollars, dates as YYYY-MM-DD. */
export const Invoice = Schema.Struct({
  supplier: Schema.NonEmptyString,
  number: Schema.NullOr(Schema.String),
  issued: Schema.String,
  due: Schema.String,
  amounts: Schema.Array(Schema.Finite),
  total: Schema.Finite
})

/** Answers nothing for a field that it doesn't find; what the schema asks for is then missing, and the item ends as a dead letter. */
export const reader = local("reader", ({ data }) => {
  const text = String(data)
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(text)?.[1]
  const amounts = [...text.matchAll(/^(.+?) {2,}([\d.]+)$/gm)].map(([, label = "", amount]) => ({ label, amount: Number(amount) }))
  return {
    supplier: text.split("\n", 1)[0],
    number: field("Invoice") ?? null,
    issued: field("Date"),
    due: field("Due"),
    amounts: amounts.filter(({ label }) => label !== "Total").map(({ amount }) => amount),
    total: amounts.find(({ label }) => label === "Total")?.amount
  }
})
