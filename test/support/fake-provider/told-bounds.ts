/** Bounds that a schema only tells in words: what a vendor's structured output can't enforce stands in the description, and a model reads it. */

type Json = Readonly<Record<string, unknown>>

const number = "(-?\\d+(?:\\.\\d+)?)"

/** A sentence, and the keywords that its numbers stand for. */
const sentences: ReadonlyArray<readonly [RegExp, ReadonlyArray<string>]> = [
  [new RegExp(`a value between ${number} and ${number}`), ["minimum", "maximum"]],
  [new RegExp(`greater than or equal to ${number}`), ["minimum"]],
  [new RegExp(`greater than ${number}`), ["exclusiveMinimum"]],
  [new RegExp(`less than or equal to ${number}`), ["maximum"]],
  [new RegExp(`less than ${number}`), ["exclusiveMaximum"]],
  [new RegExp(`a multiple of ${number}`), ["multipleOf"]],
  [/length of at least (\d+)/, ["least"]],
  [/length of at most (\d+)/, ["most"]],
  [/length of (\d+)/, ["exactly"]],
  [/length between (\d+) and (\d+)/, ["least", "most"]]
]

const formats: ReadonlyArray<readonly [string, string]> = [
  ["decoded as a Date", "date-time"],
  ["decoded as a URL", "uri"],
  ["a UUID", "uuid"]
]

/** The schema with what its description tells added; what it says itself stands. */
export const withTold = (schema: Json): Json => {
  const { description, type } = schema
  if (typeof description !== "string" || (type !== "string" && type !== "number" && type !== "integer" && type !== "array")) return schema
  const told: Record<string, unknown> = {}
  for (const [sentence, keywords] of sentences) {
    const found = sentence.exec(description)
    for (const [index, keyword] of keywords.entries()) if (found !== null) told[keyword] = Number(found[index + 1])
  }
  const format = formats.find(([words]) => description.includes(words))?.[1]
  if (type === "string" && format !== undefined) told["format"] = format
  if (type === "string" && description.includes("decoded as a number")) told["pattern"] = "^[1-9]\\d?$"
  if (type === "string" && description.includes("decoded as a finite number")) told["pattern"] = "^[1-9]\\d?$"
  const pattern = /matching the RegExp (.+?)(?= and a (?:value|string) |$)/.exec(description)?.[1]
  if (type === "string" && pattern !== undefined) told["toldPattern"] = pattern
  const [min, max] = type === "array" ? ["minItems", "maxItems"] : ["minLength", "maxLength"]
  const { least, most, exactly, ...bounds } = told
  return {
    ...bounds,
    ...(least === undefined && exactly === undefined ? {} : { [min]: exactly ?? least }),
    ...(most === undefined && exactly === undefined ? {} : { [max]: exactly ?? most }),
    ...schema
  }
}
