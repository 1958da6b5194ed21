/** Answers that fit a JSON schema, drawn from the item's content. */
import { mix } from "./chance.ts"
import { patternText } from "./pattern-text.ts"
import { withTold } from "./told-bounds.ts"

/** What an answer is made of. */
export interface Material {
  /** The item's hash. */
  readonly key: number
  /** Where texts are taken from: quotes in an answer stand in the item. */
  readonly text: string
}

type Json = Readonly<Record<string, unknown>>

/** Writes one value as JSON text. `salt` tells places of the answer apart, `depth` counts references followed. */
type Write = (material: Material, salt: number, depth: number) => string

/** How often a reference may lead into itself. */
const depthMax = 3

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined)

/** Compiles a schema to a function that writes a fitting answer as JSON text: the schema is walked once, not once a request. */
export const compileAnswer = (root: Json): ((material: Material) => string) => {
  const references = new Map<string, Write>()
  let salts = 0

  const resolve = (ref: string): Json => {
    let at: unknown = root
    for (const part of ref.replace(/^#\/?/, "").split("/").filter(Boolean)) {
      at = isJson(at) ? at[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined
    }
    return isJson(at) ? at : {}
  }

  const reference = (ref: string): Write => {
    if (!references.has(ref)) {
      // Set before it is compiled: the definition may refer to itself.
      references.set(ref, () => "null")
      references.set(ref, compile(resolve(ref)))
    }
    return (material, salt, depth) => (references.get(ref) ?? (() => "null"))(material, salt, depth + 1)
  }

  const compile = (given: Json): Write => {
    const schema = withTold(given)
    const own = ++salts
    const ref = schema["$ref"]
    if (typeof ref === "string") return reference(ref)
    if ("const" in schema) return constant(schema["const"])
    if (Array.isArray(schema["enum"])) {
      const options = schema["enum"].map((option) => JSON.stringify(option))
      return (material, salt) => options[mix(material.key, own + salt) % options.length] ?? "null"
    }
    const { allOf, ...rest } = schema
    if (Array.isArray(allOf)) return compile(Object.assign({}, rest, ...allOf.filter(isJson)) as Json)
    const branches = schema["anyOf"] ?? schema["oneOf"]
    if (Array.isArray(branches))
      return oneOf(
        branches.filter(isJson).map((branch) => [branch, compile(branch)] as const),
        own
      )
    const { type } = schema
    if (Array.isArray(type)) {
      return oneOf(
        type.map((one) => [{ ...schema, type: one }, compile({ ...schema, type: one })] as const),
        own
      )
    }
    return ofType(typeof type === "string" ? type : "properties" in schema ? "object" : "string", schema, own)
  }

  const ofType = (type: string, schema: Json, own: number): Write => {
    switch (type) {
      case "object":
        return objectOf(schema)
      case "array":
        return arrayOf(schema, own)
      case "integer":
      case "number":
        return numberIn(schema, own, type === "integer")
      case "boolean":
        return (material, salt) => (mix(material.key, own + salt) % 2 === 0 ? "true" : "false")
      case "null":
        return () => "null"
      default:
        return stringOf(schema, own)
    }
  }

  const objectOf = (schema: Json): Write => {
    const properties = isJson(schema["properties"]) ? schema["properties"] : {}
    const fields = Object.entries(properties).flatMap(([name, field], index) =>
      isJson(field) ? [[`${index === 0 ? "" : ","}${JSON.stringify(name)}:`, compile(field)] as const] : []
    )
    return (material, salt, depth) => {
      let text = "{"
      for (const [name, write] of fields) text += name + write(material, salt, depth)
      return `${text}}`
    }
  }

  const arrayOf = (schema: Json, own: number): Write => {
    const prefix = (Array.isArray(schema["prefixItems"]) ? schema["prefixItems"] : []).filter(isJson).map(compile)
    const item = isJson(schema["items"]) ? compile(schema["items"]) : undefined
    const min = numberOf(schema["minItems"]) ?? 0
    const max = numberOf(schema["maxItems"]) ?? Math.max(min, 3)
    return (material, salt, depth) => {
      const wanted = depth > depthMax ? min : min + (mix(material.key, own + salt) % (max - min + 1))
      const count = item === undefined ? prefix.length : Math.max(wanted, prefix.length)
      const values: Array<string> = []
      for (let index = 0; index < count; index++) {
        const write = prefix[index] ?? item
        if (write !== undefined) values.push(write(material, salt + (index + 1) * 7919, depth))
      }
      return `[${values.join(",")}]`
    }
  }

  const write = compile(root)
  return (material) => write(material, 0, 0)
}

const constant = (value: unknown): Write => {
  const text = JSON.stringify(value)
  return () => text
}

/** One of several branches; null one time in eight where it is one of them, and always where recursion has gone deep. */
const oneOf = (branches: ReadonlyArray<readonly [Json, Write]>, own: number): Write => {
  const isNull = (schema: Json) => schema["type"] === "null" || schema["const"] === null
  const canBeNull = branches.some(([schema]) => isNull(schema))
  const others = branches.filter(([schema]) => !isNull(schema)).map(([, write]) => write)
  const flat = branches.find(([schema]) => !JSON.stringify(schema).includes("$ref"))?.[1]
  return (material, salt, depth) => {
    const bits = mix(material.key, own + salt)
    if (canBeNull && (bits % 8 === 0 || depth > depthMax || others.length === 0)) return "null"
    const write = depth > depthMax && flat !== undefined ? flat : others[(bits >>> 3) % others.length]
    return write === undefined ? "null" : write(material, salt, depth)
  }
}

/** Without bounds: an integer from 0 to 100, a number from 0 to 1 in hundredths, as confidences and scores are. */
const numberIn = (schema: Json, own: number, isInteger: boolean): Write => {
  const step = numberOf(schema["multipleOf"]) ?? (isInteger ? 1 : undefined)
  const above = numberOf(schema["exclusiveMinimum"])
  const below = numberOf(schema["exclusiveMaximum"])
  const gap = step ?? 0.01
  const low = Math.max(numberOf(schema["minimum"]) ?? -Infinity, above === undefined ? -Infinity : above + gap)
  const high = Math.min(numberOf(schema["maximum"]) ?? Infinity, below === undefined ? Infinity : below - gap)
  const span = isInteger ? 100 : 1
  const from = low > -Infinity ? low : high < Infinity ? Math.min(0, high - span) : 0
  const to = high < Infinity ? high : from + span
  const unit = step ?? Math.max(0.01, (to - from) / 1e6)
  const first = Math.ceil(from / unit - 1e-9)
  const count = Math.max(1, Math.floor(to / unit + 1e-9) - first + 1)
  return (material, salt) => {
    const value = (first + (mix(material.key, own + salt) % count)) * unit
    return String(isInteger ? Math.round(value) : Number(value.toFixed(6)))
  }
}

const formats: Readonly<Record<string, (bits: number) => string>> = {
  date: (bits) => new Date(1735689600_000 + (bits % 365) * 86_400_000).toISOString().slice(0, 10),
  "date-time": (bits) => new Date(1735689600_000 + (bits % 31_536_000) * 1000).toISOString(),
  time: (bits) => new Date((bits % 86_400) * 1000).toISOString().slice(11, 19),
  duration: (bits) => `P${1 + (bits % 90)}D`,
  email: (bits) => `person${bits % 10_000}@example.com`,
  hostname: (bits) => `host${bits % 10_000}.example.com`,
  ipv4: (bits) => `10.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`,
  ipv6: (bits) => `fd00::${(bits & 0xffff).toString(16)}`,
  uri: (bits) => `https://example.com/${bits}`,
  uuid: (bits) => `${bits.toString(16).padStart(8, "0")}-0000-4000-8000-${bits.toString(16).padStart(12, "0")}`
}

const stringOf = (schema: Json, own: number): Write => {
  const format = typeof schema["format"] === "string" ? formats[schema["format"]] : undefined
  const write = patternOf(schema)
  const min = numberOf(schema["minLength"]) ?? 0
  const max = numberOf(schema["maxLength"]) ?? Infinity
  if (format !== undefined) return (material, salt) => `"${format(mix(material.key, own + salt))}"`
  if (write !== undefined) {
    return (material, salt) => JSON.stringify(write((place) => mix(material.key, own + salt + place * 31), min))
  }
  return (material, salt) => JSON.stringify(fit(excerpt(material.text, mix(material.key, own + salt)), min, max))
}

/** A pattern that is only told may be beyond `patternText`: then the answer is a guess, as a model's would be. */
const patternOf = ({ pattern, toldPattern }: Json): ReturnType<typeof patternText> | undefined => {
  if (typeof pattern === "string") return patternText(pattern)
  if (typeof toldPattern !== "string") return undefined
  try {
    return patternText(toldPattern)
  } catch {
    return undefined
  }
}

/** A few words that stand in the text as they are. */
const excerpt = (text: string, bits: number): string => {
  const space = text.indexOf(" ", bits % Math.max(1, text.length - 48))
  const from = space < 0 ? 0 : space + 1
  const end = text.indexOf(" ", from + 16)
  return (
    text
      .slice(from, end < 0 || end > from + 48 ? from + 48 : end)
      .trim()
      .toWellFormed() || "nothing"
  )
}

const fit = (text: string, min: number, max: number): string =>
  text.length > max ? text.slice(0, max).toWellFormed() : text.length < min ? text.padEnd(min, ".") : text
