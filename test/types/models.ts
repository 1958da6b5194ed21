import { anthropic, local } from "nightshift"
export const bayes = local("bayes", () => ({ topic: "spam", confidence: 0.95 }))
export const haiku = anthropic("claude-haiku-4-5", { account: "desk" })
