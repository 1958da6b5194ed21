/** What the vendors' structured outputs refuse in a JSON schema, in their words. */
import type { Vendor } from "./problem.ts"

type Json = Readonly<Record<string, unknown>>

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const openaiRefuses = ["allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties"]

const anthropicRefuses: Readonly<Record<string, ReadonlyArray<string>>> = {
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  string: ["minLength", "maxLength"],
  array: ["maxItems", "uniqueItems"]
}

/** Why the vendor refuses the schema, or undefined. */
export const schemaProblem = (vendor: Vendor, schema: unknown): string | undefined => {
  if (!isJson(schema))
    return vendor === "openai" ? "schema must be a JSON Schema of 'type: \"object\"'" : "schema: Input should be an object"
  if (vendor === "openai" && schema["type"] !== "object") {
    return `schema must be a JSON Schema of 'type: "object"', got 'type: ${JSON.stringify(schema["type"] ?? "None")}'.`
  }
  return walk(vendor, schema, [])
}

const walk = (vendor: Vendor, schema: Json, path: ReadonlyArray<string>): string | undefined => {
  const own = vendor === "openai" ? openaiProblem(schema, path) : anthropicProblem(schema)
  if (own !== undefined) return own
  for (const [at, child] of children(schema)) {
    const problem = walk(vendor, child, [...path, ...at])
    if (problem !== undefined) return problem
  }
  return undefined
}

function* children(schema: Json): Iterable<readonly [ReadonlyArray<string>, Json]> {
  for (const group of ["properties", "$defs", "definitions"]) {
    const members = schema[group]
    if (isJson(members)) for (const [name, child] of Object.entries(members)) if (isJson(child)) yield [[group, name], child]
  }
  for (const group of ["anyOf", "allOf", "oneOf", "prefixItems"]) {
    const members = schema[group]
    if (Array.isArray(members)) {
      for (const [index, child] of members.entries()) if (isJson(child)) yield [[group, String(index)], child]
    }
  }
  if (isJson(schema["items"])) yield [["items"], schema["items"]]
}

const openaiProblem = (schema: Json, path: ReadonlyArray<string>): string | undefined => {
  const where = `In context=(${path.map((part) => `'${part}'`).join(", ")})`
  const refused = openaiRefuses.find((keyword) => keyword in schema)
  if (refused !== undefined) return `${where}, '${refused}' is not permitted.`
  if (schema["type"] === "array" && !("items" in schema)) return `${where}, array schema missing items.`
  if (schema["type"] !== "object") return undefined
  if (schema["additionalProperties"] !== false) return `${where}, 'additionalProperties' is required to be supplied and to be false.`
  const names = isJson(schema["properties"]) ? Object.keys(schema["properties"]) : []
  const required = Array.isArray(schema["required"]) ? schema["required"] : []
  const missing = names.find((name) => !required.includes(name))
  if (missing === undefined) return undefined
  return `${where}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`
}

const anthropicProblem = (schema: Json): string | undefined => {
  const { type } = schema
  if (type === "object" && schema["additionalProperties"] !== false) {
    return "For 'object' type, 'additionalProperties' must be explicitly set to false"
  }
  for (const one of Array.isArray(type) ? type : [type]) {
    const refused = typeof one === "string" ? anthropicRefuses[one]?.filter((keyword) => keyword in schema) : undefined
    if (refused !== undefined && refused.length > 0) return `For '${one}' type, properties ${refused.join(", ")} are not supported`
  }
  const { minItems } = schema
  if (typeof minItems === "number" && minItems > 1) return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
  return undefined
}
