/** A job that asks a provider: which one, how, and for how much at most is the environment's to say. */
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
  validate,
  type ModelTier
} from "nightshift"

const env = (name: string, otherwise: string): string => process.env[name] ?? otherwise
const Mail = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String })
const Topic = Schema.Struct({ topic: Schema.Literals(["billing", "shipping", "other"]), sure: Schema.Finite })

const mails = jsonl(env("FAULT_INPUT", "items.jsonl"), { schema: Mail, key: ({ id }) => id })
const parts = partition(mails)

// The environment of a test holds one of the tiers.
const tier = env("PAID_TIER", "realtime") as ModelTier
const models = {
  responses: openai("gpt-5-mini", { account: "desk", tier }),
  chat: openai("gpt-5-mini", { account: "desk", tier, api: "chat" }),
  anthropic: anthropic("claude-haiku-4-5", { account: "desk", tier }),
  compatible: openaiCompatible("llama", {
    account: "box",
    baseUrl: env("PAID_SERVER", "http://127.0.0.1:9/v1"),
    ...(env("PAID_PRICE", "yes") === "yes" ? { price: { inputUsd: 0.1, outputUsd: 0.2 } } : {})
  })
}
const model = models[env("PAID_MODEL", "responses") as keyof typeof models]

const topics = infer(parts, {
  model,
  maxTokens: 64,
  retrySpacing: "20 millis",
  output: Topic,
  // How good every answer is said to be; without it, nothing is evaluated.
  ...(env("PAID_SCORE", "") === ""
    ? {}
    : {
        evaluation: {
          labelled: [0, 1, 2, 3, 4].map((n) => ({ item: { id: `l${n}`, text: `Labelled mail ${n}` }, expected: "billing" })),
          score: () => Number(env("PAID_SCORE", "1")),
          scoreMin: 0.9
        }
      }),
  prompt: ({ text }) => [system`Name the topic of this mail.`, user`${text}`]
})
const checked = validate(topics, { named: { pass: ({ output }) => output.topic !== "other", orElse: flag } })
const mix = aggregate(checked, { total: count, byTopic: countBy(({ output }) => output.topic) })
const said = report(mix, ({ total }) => `${total} mails.`)

export default job("paid", {
  owner: "tests",
  purpose: "Fault tests",
  classification: "internal",
  budget: usd(Number(env("PAID_BUDGET", "5"))),
  passRateMin: 0,
  failureRateMax: 1,
  steps: { mails, parts, topics, checked, mix, said }
})
