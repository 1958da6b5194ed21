/** Embedded models of the support desk. */
import { local } from "nightshift"

export const topics = local("topics", ({ data }) => {
  const text = String(data).toLowerCase()
  if (/\bdown\b|prints nothing/.test(text)) return { topic: "outage" }
  if (/invoice|charged|refund/.test(text)) return { topic: "billing" }
  return { topic: /\bhow (do|can)\b/.test(text) ? "how-to" : "other" }
})

export const urgency = local("urgency", ({ data }) => ({ isUrgent: /hurry|now\b|urgent|nobody can/i.test(String(data)) }))

/** Quotes the handbook; asked again after feedback, it is brief. */
export const writer = local("writer", ({ data: [article, text], attempt }) => {
  const answer = String(article)
  const reply = attempt === 1 ? `You wrote: "${String(text)}" ${answer}` : answer
  return { reply: reply.trim() }
})
