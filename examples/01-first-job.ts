/**
 * A first job: a source, a model, an aggregate and a report. All else in nightshift is optional.
 * A step takes the step that it reads, as a value: a misspelt step or field doesn't compile.
 * Run it: npx runtime run examples/01-first-job.ts
 */
import { Schema } from "effect"
import { aggregate, count, countBy, infer, job, jsonl, local, partition, report, system, usd, user } from "nightshift"

// Schemas check what comes in and what a model answers, and tell the compiler what both are.
const Review = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String })
const Mood = Schema.Struct({ mood: Schema.Literals(["happy", "unhappy", "mixed"]) })

// A model can be a function of your own: `data` is what the prompt filled in. openai(…) and anthropic(…) stand in the same place.
const words = local("words", ({ data }) => {
  const text = String(data).toLowerCase()
  const isPleased = /lovely|friendly|excellent|comfortable|clean|great/.test(text)
  const isDisappointed = /broken|dirty|rude|noisy|terrible/.test(text)
  return { mood: isPleased && !isDisappointed ? "happy" : isDisappointed && !isPleased ? "unhappy" : "mixed" }
})

const reviews = jsonl("examples/data/01-first-job.jsonl", { schema: Review, key: (review) => review.id })

// A run's items are split into partitions, the units that workers take. Without options they are spread evenly.
const spread = partition(reviews)

const moods = infer(spread, {
  model: words,
  // The text is the instruction, and each ${} is data.
  prompt: (review) => [system`How did the guest like the hotel?`, user`${review.text}`],
  output: Mood
})

const totals = aggregate(moods, { guests: count, byMood: countBy(({ output }) => output.mood) })

const summary = report(totals, ({ guests, byMood }) => `Of ${guests} guests, ${byMood.happy} were happy and ${byMood.unhappy} were not.`)

export default job("first-job", {
  owner: "guest-relations",
  purpose: "Learn what guests say of the hotel",
  classification: "internal",
  budget: usd(1),
  steps: { reviews, spread, moods, totals, summary }
})
