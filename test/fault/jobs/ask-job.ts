/** A job that asks a provider once an item: how often, with how much room, under which rules and whether anew is the environment's to say. */
import { Schema } from "effect"
import {
  anthropic,
  count,
  aggregate,
  cron,
  deadLetter,
  infer,
  job,
  jsonl,
  openai,
  openaiCompatible,
  partition,
  report,
  retry,
  system,
  usd,
  user,
  validate,
  type Classification,
  type ModelTier
} from "nightshift"

const env = (name: string, otherwise: string): string => process.env[name] ?? otherwise
const Mail = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String })
const Note = Schema.Struct({ note: Schema.String.annotate({ description: env("ASK_SCHEMA", "A note.") }) })

const mails = jsonl(env("FAULT_INPUT", "items.jsonl"), { schema: Mail, key: ({ id }) => id })
const parts = partition(mails)

// The environment of a test holds one of the tiers, and classifications.
const options = {
  account: "desk",
  tier: env("PAID_TIER", "realtime") as ModelTier,
  approvedFor: env("ASK_APPROVED", "internal") as Classification
}
const models = {
  responses: openai(env("ASK_NAME", "gpt-5-mini"), options),
  chat: openai("gpt-5-mini", { ...options, api: "chat" }),
  anthropic: anthropic("claude-haiku-4-5", options),
  compatible: openaiCompatible("llama", {
    account: "box",
    baseUrl: env("PAID_SERVER", "http://127.0.0.1:9/v1"),
    price: { inputUsd: 0.1, outputUsd: 0.2 }
  })
}

/** Invariant text for the prefix that providers cache. */
const handbook = "Every note is short. ".repeat(Number(env("ASK_HANDBOOK", "0")))
const prompts = {
  first: ({ text }: typeof Mail.Type) => [system`Note what this is. ${handbook}`, user`${text}`] as const,
  second: ({ text }: typeof Mail.Type) => [system`Note what that was. ${handbook}`, user`${text}`] as const
}

const notes = infer(parts, {
  model: models[env("PAID_MODEL", "responses") as keyof typeof models],
  maxTokens: Number(env("ASK_TOKENS", "64")),
  retriesMax: Number(env("ASK_RETRIES", "3")),
  retrySpacing: `${Number(env("ASK_SPACING_MS", "20"))} millis`,
  reuse: env("ASK_REUSE", "yes") === "yes",
  output: Note,
  prompt: prompts[env("ASK_PROMPT", "first") as keyof typeof prompts]
})
const checked = validate(notes, {
  good: {
    pass: ({ output }) => !output.note.startsWith("bad"),
    orElse: env("ASK_RULE", "dead") === "retry" ? retry({ attemptsMax: 3, feedback: "say something good" }) : deadLetter
  }
})
const total = aggregate(checked, { total: count })
const said = report(total, ({ total }) => `${total} notes.`)

export default job("ask", {
  passRateMin: 0,
  owner: "tests",
  purpose: "Fault tests",
  classification: env("ASK_CLASS", "internal") as Classification,
  budget: usd(Number(env("PAID_BUDGET", "5"))),
  ...(env("ASK_WITHIN", "no") === "yes" ? { schedule: cron("0 1 * * *", { timeZone: "UTC", within: "1 hour" }) } : {}),
  steps: { mails, parts, notes, checked, total, said }
})
