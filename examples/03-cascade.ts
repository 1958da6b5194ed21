/**
 * A cascade: a cheap model first, and a better one only for what the first isn't sure of.
 * Each model is a step with checkpoints of its own, so a resumed run pays for neither twice.
 * Run it: npx runtime run examples/03-cascade.ts
 */
import { Schema } from "effect"
import { aggregate, count, countBy, infer, job, jsonl, local, mean, partition, report, system, usd, user } from "nightshift"

const Payment = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String })
const Category = Schema.Struct({ category: Schema.Literals(["food", "home", "travel", "leisure"]), confidence: Schema.Finite })

// Knows a few merchants by name, and admits it when it doesn't.
const merchants = local("merchants", ({ data }) => {
  const known = { WOOLWORTHS: "food", ALDI: "food", SHELL: "travel", QANTAS: "travel", SPOTIFY: "leisure", NETFLIX: "leisure" }
  const found = Object.entries(known).find(([name]) => String(data).startsWith(name))
  return found === undefined ? { category: "food", confidence: 0 } : { category: found[1], confidence: 1 }
})

// Weighs the words of the text: slower, and less sure of itself.
const vocabulary = local("vocabulary", ({ data }) => {
  const signs = {
    food: /bread|milk|fruit|market/g,
    home: /rent|agency|unit/g,
    travel: /train|ticket|station|opal/g,
    leisure: /cinema|tickets|adults/g
  }
  const hits = Object.entries(signs).map(([category, sign]) => ({ category, words: String(data).match(sign)?.length ?? 0 }))
  const [best, second] = hits.toSorted((a, b) => b.words - a.words)
  return { category: best?.category, confidence: ((best?.words ?? 0) - (second?.words ?? 0)) / (1 + (best?.words ?? 0)) }
})

const payments = jsonl("examples/data/03-cascade.jsonl", { schema: Payment, key: (payment) => payment.id })

const categories = infer(partition(payments), {
  model: [merchants, vocabulary], // cheapest first
  accept: ({ output }) => output.confidence >= 0.9, // otherwise the next model is asked; the last one's answer stands
  prompt: (payment) => [system`Name the category of this payment.`, user`${payment.text}`],
  output: Category,
  confidence: (output) => output.confidence // kept with each answer, for the report's histogram and for SQL
})

const totals = aggregate(categories, {
  payments: count,
  byModel: countBy(({ model }) => model),
  byCategory: countBy(({ output }) => output.category),
  sureness: mean(({ output }) => output.confidence)
})

const summary = report(totals, ({ payments, byModel, byCategory, sureness }) => {
  const categories = `${byCategory.food} food, ${byCategory.home} home, ${byCategory.travel} travel, ${byCategory.leisure} leisure`
  return `${payments} payments: ${categories}. ${byModel["vocabulary"]} needed the second model. Confidence ${sureness?.toFixed(2)} on average.`
})

export default job("cascade", {
  owner: "budget-app",
  purpose: "Sort payments into the budget's categories",
  classification: "confidential",
  budget: usd(1),
  steps: { payments, categories, totals, summary }
})
