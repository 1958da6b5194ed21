/** What a model says: an answer that fits the request, or one that a fault has spoilt. */
import { cardOf, type Tokens } from "./catalog.ts"
import type { FaultKind, Faults } from "./faults.ts"
import type { PromptCache } from "./prompt-cache.ts"
import { type Answer, type Question, tokensOf } from "./question.ts"

/** An author's own answers: undefined leaves the answer to the schema. */
export type Author = (question: { readonly model: string; readonly prompt: string; readonly text: string }) => unknown

const ends: Readonly<Partial<Record<FaultKind, Answer["end"]>>> = {
  truncated: "length",
  refusal: "refusal",
  filter: "filter",
  "empty-reasoning": "empty-reasoning",
  "no-choices": "no-choices"
}

const plainText = (question: Question, author: Author | undefined): string => {
  const own = author?.({ model: question.model, prompt: question.prompt, text: question.text })
  if (own !== undefined) return typeof own === "string" ? own : JSON.stringify(own)
  const material = { key: question.item, text: question.text }
  if (question.schema !== null) return question.schema.write(material)
  const share = (question.item % 100) / 100
  return question.isJsonMode ? `{"label":"other","confidence":${share}}` : `It is about: ${question.text.slice(0, 80).toWellFormed()}`
}

const spoilt = (text: string, kind: FaultKind): string => {
  switch (kind) {
    case "bad-json":
    case "truncated":
      return text.slice(0, Math.max(1, text.length >> 1)).toWellFormed()
    case "fenced":
      return `\`\`\`json\n${text}\n\`\`\``
    case "prose":
      return `Here you go:\n${text}`
    case "nan":
      return /:-?\d/.test(text) ? text.replace(/:-?\d[\d.eE+-]*/, ":NaN") : `{"value":NaN}`
    case "refusal":
    case "filter":
    case "empty-reasoning":
    case "no-choices":
      return ""
    default:
      return text
  }
}

interface Making {
  readonly question: Question
  readonly kind: FaultKind
  readonly id: string
  readonly faults: Faults
  readonly cache: PromptCache
  readonly author: Author | undefined
  readonly isBatch: boolean
}

/** The answer, never longer than the request allows. */
export const answerOf = ({ question, kind, id, faults, cache, author, isBatch }: Making): Answer => {
  const card = cardOf(question.model)
  const cached = question.cached(cache, faults.cacheMinTokens || (card?.cacheMinTokens ?? 1024))
  const whole = spoilt(plainText(question, author), kind)
  const max = question.maxTokens ?? Infinity
  const base = {
    id,
    created: Math.floor(Date.now() / 1000),
    snapshot: card?.snapshot ?? question.model,
    input: question.inputTokens,
    cached,
    isBatch
  }
  if (kind === "empty-reasoning") {
    const output = Math.min(max, 200)
    return { ...base, text: "", end: "empty-reasoning", output, reasoning: output - 1 }
  }
  const reasoning = faults.reasoningTokens
  const said = Math.max(1, tokensOf(whole.length))
  const end = ends[kind] ?? "stop"
  if (reasoning >= max) return { ...base, text: "", end: "empty-reasoning", output: max, reasoning: max }
  if (reasoning + said > max) {
    return { ...base, text: whole.slice(0, (max - reasoning) * 4).toWellFormed(), end: "length", output: max, reasoning }
  }
  // A model that is cut off has used up its limit.
  return { ...base, text: whole, end, output: end === "length" && max < Infinity ? max : reasoning + said, reasoning }
}

/** The books' form of an answer's usage. */
export const tokensIn = ({ input, cached, output, reasoning }: Answer): Tokens => ({
  input,
  cacheRead: cached.read,
  cacheWrite5m: cached.write5m,
  cacheWrite1h: cached.write1h,
  output,
  reasoning
})
