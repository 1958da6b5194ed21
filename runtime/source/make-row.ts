/** Makes an item of a row, or says why it can't be one. Plain JavaScript: this runs once a row, millions of times. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import type { SourceDefinition } from "../../dsl/index.ts"
import { firstLine } from "./source-error.ts"
import type { BodyReference, Place, RejectedRow, RejectionCode, SourceRow } from "./source-item.ts"
import { excerptOf } from "./utf8.ts"

/** Longer keys are rejected. In characters. */
const KEY_LENGTH_MAX = 4096

/** A row before its schema has seen it. */
export interface RawRow {
  /** As `JSON.parse` gives it: no dates, no bigint, no NaN. */
  readonly json: unknown
  /** JSON text of `json`. */
  readonly body: string
  /** Of `body` in UTF-8. */
  readonly bytes: number
  readonly reference: BodyReference | null
  readonly place: Place
  /** What `key` is told of the file; default: the place's. */
  readonly file?: string
}

/** Compiles the schema once; the result never throws. */
export const makeRow = (definition: SourceDefinition): ((raw: RawRow) => SourceRow) => {
  const decode = makeDecoder(definition)
  return (raw) => {
    const decoded = decode(raw.json)
    if (Result.isFailure(decoded)) return rejected("schema", decoded.failure, raw.body, raw.place)
    const key = keyOf(definition, decoded.success, raw.file ?? raw.place.file)
    if (Result.isFailure(key)) return rejected("key", key.failure, raw.body, raw.place)
    const { body, bytes, reference, place } = raw
    return { kind: "item", key: key.success, item: decoded.success, body, bytes, reference, place }
  }
}

/** For rows that arrive as JSON-ready values: their body is made here. */
export const makeRowOfJson = (definition: SourceDefinition): ((json: unknown, place: Place) => SourceRow) => {
  const make = makeRow(definition)
  return (json, place) => {
    const body = JSON.stringify(json)
    return make({ json, body, bytes: Buffer.byteLength(body), reference: null, place })
  }
}

/** Decodes what `JSON.parse` gives, all faults in one line. */
export const makeDecoder = (definition: SourceDefinition): ((json: unknown) => Result.Result<unknown, string>) => {
  const decode = Schema.decodeUnknownResult(Schema.toCodecJson(definition.schema), { errors: "all" })
  return (json) => attempt(() => decode(json))
}

/** Runs a schema's parser. A transformation in it may throw: that is a fault of the row too, not of the run. */
export const attempt = (parse: () => Result.Result<unknown, Schema.SchemaError>): Result.Result<unknown, string> => {
  try {
    const parsed = parse()
    return Result.isSuccess(parsed) ? Result.succeed(parsed.success) : Result.fail(faultsOf(parsed.failure))
  } catch (thrown) {
    return Result.fail(`the schema threw ${firstLine(thrown)}`)
  }
}

const faultsOf = (error: Schema.SchemaError): string =>
  error.message
    .split(/\n(?! )/)
    .map((fault) => fault.replaceAll(/\s*\n\s*/g, " "))
    .join("; ")
    .slice(0, 500)

const keyOf = (definition: SourceDefinition, item: unknown, file: string): Result.Result<string, string> => {
  try {
    const key: unknown = definition.keyOf(item, file)
    if (typeof key !== "string") return Result.fail(`key must return a string, and returned ${key === null ? "null" : typeof key}`)
    if (key === "") return Result.fail("key returned an empty string")
    if (key.length > KEY_LENGTH_MAX) return Result.fail(`key returned ${key.length} characters; at most ${KEY_LENGTH_MAX} are allowed`)
    // Half of a surrogate pair can't be stored: two such keys would become one.
    return key.isWellFormed() ? Result.succeed(key) : Result.fail("key returned text that is no valid Unicode")
  } catch (thrown) {
    return Result.fail(`key threw ${firstLine(thrown)}`)
  }
}

/** A row set aside; `text` is the row as a person would find it. */
export const rejected = (code: RejectionCode, reason: string, text: string, place: Place): RejectedRow => ({
  kind: "rejected",
  code,
  reason,
  excerpt: excerptOf(text),
  place
})
