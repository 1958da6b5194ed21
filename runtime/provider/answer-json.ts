/** Takes the JSON out of what a model said. */

/** `repaired`: it stood in a fence or behind a few words (case 25). */
export type AnswerJson = { readonly value: unknown; readonly repaired: boolean } | { readonly fault: string }

/** Parses the text; where it is no JSON, once more what stands in its fence, or from its first brace to its last. */
export const answerJson = (text: string): AnswerJson => {
  const whole = parsed(text)
  if ("value" in whole) return { ...whole, repaired: false }
  const fenced = /```(?:json)?\s*\n?([\s\S]*?)```/.exec(text)?.[1]
  const inner = fenced ?? braced(text)
  const found = inner === null ? whole : parsed(inner)
  return "value" in found ? { ...found, repaired: true } : whole
}

const braced = (text: string): string | null => {
  const from = text.indexOf("{")
  const to = text.lastIndexOf("}")
  return from >= 0 && to > from ? text.slice(from, to + 1) : null
}

/** `NaN` and its like are no JSON (case 32): `JSON.parse` says so. */
const parsed = (text: string): { readonly value: unknown } | { readonly fault: string } => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch (cause) {
    return { fault: cause instanceof Error ? cause.message : String(cause) }
  }
}
