/** Small mails, asked about at the fake provider: a schema, a rule, costs, durable checkpoints and payload. */
import { Schema } from "effect"
import {
  aggregate,
  anthropic,
  count,
  countBy,
  flag,
  infer,
  job,
  jsonl,
  openai,
  openaiCompatible,
  partition,
  report,
  system,
  usd,
  user,
  validate
} from "nightshift"

const env = (name: string, otherwise: string): string => process.env[name] ?? otherwise

const Mail = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String, size: Schema.Finite })
export const Topic = Schema.Struct({ topic: Schema.Literals(["billing", "shipping", "other"]), sure: Schema.Finite })

const mails = jsonl(env("BENCH_INPUT", "items.jsonl"), { schema: Mail, key: ({ id }) => id })
const parts = partition(mails)

export const bare = openaiCompatible("llama", {
  account: "box",
  baseUrl: env("BENCH_SERVER", "http://127.0.0.1:9/v1"),
  price: { inputUsd: 0.1, outputUsd: 0.2 }
})
/** What each bench asks. */
export const models = {
  bare,
  openai: openai("gpt-5-mini", { account: "desk" }),
  "openai-batch": openai("gpt-5-mini", { account: "desk", tier: "batch" }),
  "anthropic-batch": anthropic("claude-haiku-4-5", { account: "desk", tier: "batch" })
}
export const maxTokens = 64
export const prompt = ({ text }: Pick<typeof Mail.Type, "text">) => [system`Name the topic of this mail.`, user`${text}`] as const

const topics = infer(parts, {
  // One of the names above: the benches set it.
  model: models[env("BENCH_MODEL", "bare") as keyof typeof models],
  maxTokens,
  retrySpacing: "1 second",
  output: Topic,
  prompt
})
const checked = validate(topics, { named: { pass: ({ output }) => output.topic !== "other", orElse: flag } })
const mix = aggregate(checked, { total: count, byTopic: countBy(({ output }) => output.topic) })
const said = report(mix, ({ total }) => `${total} mails.`)

export default job("paid-bench", {
  owner: "bench",
  purpose: "Measure",
  classification: "internal",
  budget: usd(1_000),
  passRateMin: 0,
  failureRateMax: 1,
  steps: { mails, parts, topics, checked, mix, said }
})
