/**
 * Partitions: the units of work. Split `by` a field or into size `tiers`, a label can have its own prompt or model.
 * To even out skew, write partition(documents, { weight: (document) => document.text.length }); without options, keys are hashed.
 * Run it: npx runtime run examples/04-partitions.ts
 */
import { Schema } from "effect"
import { aggregate, countBy, infer, job, jsonl, local, partition, report, system, usd, user } from "nightshift"

const Document = Schema.Struct({
  id: Schema.NonEmptyString,
  type: Schema.Literals(["letter", "invoice", "contract"]),
  text: Schema.String
})
type Document = typeof Document.Type
const Gist = Schema.Struct({ gist: Schema.String })

const documents = jsonl("examples/data/04-partitions.jsonl", { schema: Document, key: (document) => document.id })

const opening = local("opening", ({ data }) => ({ gist: String(data).slice(0, 40) }))
const notice = local("notice", ({ data }) => ({ gist: /[^.]*\bnotice\b[^.]*\./.exec(String(data))?.[0].trim() ?? "no notice" }))
const total = local("total", ({ data }) => ({ gist: /Total: [\d.]+\d/.exec(String(data))?.[0] ?? "no total" }))

const summarise = (document: Document) => [system`Say in a line what this is about.`, user`${document.text}`] as const
const listed = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([name, items]) => `${items} ${name}`)
    .join(", ")

// By a field: items of one type stay together, and an override names one of the types, or it doesn't compile.
const byType = partition(documents, { by: (document) => document.type })
const gists = infer(byType, {
  model: opening,
  prompt: summarise,
  output: Gist,
  overrides: {
    invoice: { model: total },
    contract: { model: notice, prompt: (document) => [system`How does this contract end?`, user`${document.text}`] }
  }
})
const pairs = aggregate(gists, { counts: countBy(({ item, model }) => `${item.type} by ${model}`) })

export default job("by-type", {
  owner: "records",
  purpose: "Index the document archive",
  classification: "internal",
  budget: usd(1),
  steps: { documents, byType, gists, pairs, summary: report(pairs, ({ counts }) => listed(counts)) }
})

// By size: a long document would cost more, so it goes to the model that reads its notice period only.
const bySize = partition(documents, {
  tiers: { size: (document) => document.text.length, tiers: [{ name: "short", upTo: 200 }, { name: "long" }] }
})
const quickGists = infer(bySize, { model: opening, prompt: summarise, output: Gist, overrides: { long: { model: notice } } })
const models = aggregate(quickGists, { counts: countBy(({ model }) => model) })

// One module may export several jobs: npx runtime run examples/04-partitions.ts#sized
export const sized = job("by-size", {
  owner: "records",
  purpose: "Index the document archive",
  classification: "internal",
  budget: usd(1),
  steps: { documents, bySize, quickGists, models, summary: report(models, ({ counts }) => listed(counts)) }
})
