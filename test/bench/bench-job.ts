/** Small items through a model that does nothing: what is left is nightshift's own cost. */
import { Schema } from "effect"
import { aggregate, count, infer, job, jsonl, local, partition, report, system, usd, user } from "nightshift"

const Item = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String, size: Schema.Finite })
const Label = Schema.Struct({ label: Schema.Literals(["short", "long"]), score: Schema.Finite })

const items = jsonl(process.env["BENCH_INPUT"] ?? "items.jsonl", { schema: Item, key: (item) => item.id })
const spread = partition(items)
const labels = infer(spread, {
  model: local("noop", () => ({ label: "short", score: 0.5 }), { version: "1" }),
  prompt: (item) => [system`Say whether this is short or long.`, user`${item.text}`],
  output: Label,
  confidence: (output) => output.score
})
const total = aggregate(labels, { total: count })
const said = report(total, (values) => `${values.total} items`)

export default job("bench", {
  owner: "bench",
  purpose: "Measure",
  classification: "public",
  budget: usd(1),
  steps: { items, spread, labels, total, said }
})
