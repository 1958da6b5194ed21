/** The job that nights run: one model or a cascade, and a rule of each verdict. */
import * as Schema from "effect/Schema"

import { deadLetter, infer, job, jsonl, openai, partition, retry, review, usd, user, validate, type Job } from "../../../dsl/index.ts"
import { unitUsd } from "./provider.ts"
import type { Script } from "./script.ts"

export const jobOf = ({ isCascade, budgetUnits, failureRateMax, retriesMax, attemptsMax, retryWithError }: Script): Job => {
  const mails = jsonl("*.jsonl", { schema: Schema.Struct({ id: Schema.String }), key: (mail) => mail.id })
  const parts = partition(mails)
  const options = {
    output: Schema.Struct({ topic: Schema.String, sure: Schema.Finite }),
    prompt: (mail: { readonly id: string }) => [user`${mail.id}`] as const,
    maxTokens: 16,
    retriesMax,
    retryWithError
  }
  const strong = openai("strong", { account: "desk" })
  const cheap = openai("cheap", { account: "desk" })
  const topics = isCascade
    ? infer(parts, { ...options, model: [cheap, strong], accept: ({ output }) => output.sure > 0.5 })
    : infer(parts, { ...options, model: strong })
  const checked = validate(topics, {
    named: { pass: ({ output }) => output.topic !== "?", orElse: retry({ attemptsMax, feedback: "Name it." }) },
    alive: { pass: ({ output }) => !output.topic.startsWith("dead"), orElse: deadLetter },
    sure: { pass: ({ output }) => !output.topic.startsWith("review"), orElse: review }
  })
  return job("night", {
    owner: "tests",
    purpose: "Nights",
    classification: "internal",
    budget: usd(budgetUnits * unitUsd),
    gateExpiry: "2 hours",
    ...(failureRateMax === undefined ? {} : { failureRateMax }),
    steps: { mails, parts, topics, checked }
  })
}
