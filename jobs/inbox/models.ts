/** Two embedded models that sort mail, cheapest first. */
import { local } from "nightshift"

/** Looks at sender and subject only: knows our own people and mailing lists, and little else. */
export const headers = local("headers", ({ data: [from, subject] }) => {
  if (String(from).endsWith("@example.org")) return { topic: "personal", confidence: 0.98 }
  if (/^(re: )?\[.+\]/i.test(String(subject))) return { topic: "list", confidence: 0.97 }
  return { topic: "personal", confidence: 0.3 }
})

/** Counts telling words of the whole mail. Its confidence grows with how far ahead the first topic is. */
export const wording = local("wording", ({ data }) => {
  const text = data.join("\n").toLowerCase()
  const signs = {
    spam: /click here|free|winner|prize|no risk|offer|password|lowest price/g,
    list: /unsubscribe|newsletter|noreply|invites members/g,
    personal: /\b(hi|dear all|thanks|thank you|best|could you|may we)\b/g
  }
  const counts = Object.entries(signs).map(([topic, sign]) => ({ topic, words: text.match(sign)?.length ?? 0 }))
  const [first = { topic: "personal", words: 0 }, second = first] = counts.toSorted((a, b) => b.words - a.words)
  return { topic: first.topic, confidence: (first.words - second.words + 0.5) / (first.words + second.words + 1) }
})
