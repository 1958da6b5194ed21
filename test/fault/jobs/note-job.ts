/** A job whose answers are free texts, so that a model can say anything; its later steps hand the text on. */
import { Schema } from "effect"
import { aggregate, anthropic, count, infer, job, jsonl, openai, partition, report, system, usd, user, type ModelTier } from "nightshift"

const Mail = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String })
const Note = Schema.Struct({ note: Schema.String })

const mails = jsonl(process.env["FAULT_INPUT"] ?? "items.jsonl", { schema: Mail, key: ({ id }) => id })
const parts = partition(mails)
// The environment of a test holds one of the tiers.
const tier = (process.env["PAID_TIER"] ?? "realtime") as ModelTier
const model =
  process.env["PAID_MODEL"] === "anthropic"
    ? anthropic("claude-haiku-4-5", { account: "desk", tier })
    : openai("gpt-5-mini", { account: "desk", tier })

const notes = infer(parts, {
  model,
  maxTokens: 200,
  retrySpacing: "20 millis",
  output: Note,
  prompt: ({ text }) => [system`Write a note.`, user`${text}`]
})
const again = infer(notes, {
  model,
  maxTokens: 200,
  retrySpacing: "20 millis",
  output: Note,
  prompt: ({ output }) => [system`Write another.`, user`${output.note}`]
})
const mix = aggregate(again, { total: count })
const said = report(mix, ({ total }) => {
  console.log(`The job's own code prints ${process.env["DESK_API_KEY"]}.`)
  return `${total} notes, written with ${process.env["DESK_API_KEY"]}.`
})

export default job("notes", {
  owner: "tests",
  purpose: "Fault tests",
  classification: "internal",
  budget: usd(5),
  steps: { mails, parts, notes, again, mix, said }
})
