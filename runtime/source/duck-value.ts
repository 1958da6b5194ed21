/** What a DuckDB value is in JSON: the form in which it is decoded by a schema, kept in the manifest and read again. */
import * as DuckDb from "@duckdb/node-api"

/**
 * - NaN is null; an infinity is `"Infinity"` or `"-Infinity"`, so that `Schema.Finite` refuses it by name.
 * - An integer is a number while a number holds it exactly (up to 2^53), else a string; a decimal likewise, up to 15 digits.
 *   Where a column passes that, cast it to VARCHAR and every row has one form.
 * - A timestamp is ISO 8601 in UTC, also one without a zone, with as many decimals as it has; a date is `YYYY-MM-DD`.
 * - A blob is base64, an interval and all else is DuckDB's own text.
 * - Lists and structs are kept; a map is an object if its keys are strings, else a list of `{ key, value }`; a union is its value.
 */
export const jsonOf = (value: DuckDb.DuckDBValue): unknown => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      if (Number.isFinite(value)) return value
      return Number.isNaN(value) ? null : String(value)
    case "bigint":
      return integerOf(value)
    default:
      return value === null ? null : nestedOf(value)
  }
}

type Rich = Exclude<DuckDb.DuckDBValue, string | boolean | number | bigint | null>

const nestedOf = (value: Rich): unknown => {
  if (value instanceof DuckDb.DuckDBListValue || value instanceof DuckDb.DuckDBArrayValue) return value.items.map(jsonOf)
  if (value instanceof DuckDb.DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, entry]) => [name, jsonOf(entry)]))
  }
  if (value instanceof DuckDb.DuckDBMapValue) return mapOf(value)
  if (value instanceof DuckDb.DuckDBUnionValue || value instanceof DuckDb.DuckDBVariantValue) return jsonOf(value.value)
  if (value instanceof DuckDb.DuckDBDecimalValue) return decimalOf(value)
  if (value instanceof DuckDb.DuckDBBlobValue) return Buffer.from(value.bytes).toString("base64")
  // Its own text is in the time zone of this machine.
  if (value instanceof DuckDb.DuckDBTimestampTZValue) return isoOf(new DuckDb.DuckDBTimestampValue(value.micros).toString())
  return isTimestamp(value) ? isoOf(value.toString()) : value.toString()
}

const integerOf = (value: bigint): number | string =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()

/** A double gives back every decimal of up to 15 digits. */
const decimalOf = (value: DuckDb.DuckDBDecimalValue): number | string => {
  const text = value.toString()
  return text.replaceAll(/[-.]/g, "").replace(/^0+/, "").length <= 15 ? Number(text) : text
}

const mapOf = (value: DuckDb.DuckDBMapValue): unknown =>
  value.entries.every(({ key }) => typeof key === "string")
    ? Object.fromEntries(value.entries.map((entry) => [String(entry.key), jsonOf(entry.value)]))
    : value.entries.map((entry) => ({ key: jsonOf(entry.key), value: jsonOf(entry.value) }))

const isTimestamp = (value: Rich): boolean =>
  value instanceof DuckDb.DuckDBTimestampValue ||
  value instanceof DuckDb.DuckDBTimestampSecondsValue ||
  value instanceof DuckDb.DuckDBTimestampMillisecondsValue ||
  value instanceof DuckDb.DuckDBTimestampNanosecondsValue

/** `2024-05-01 12:00:00` is read in the machine's own zone by JavaScript; DuckDB means UTC. Infinities and years BC stay as they are. */
const isoOf = (text: string): string => (/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?$/.test(text) ? `${text.replace(" ", "T")}Z` : text)
