/** The flat columns of a struct: in types, for whoever writes a query, and as values, for a database. */
import * as Schema from "effect/Schema"
import type { Simplify } from "kysely"

import { canonicalJson } from "./digest.ts"
import type { PlainSchema } from "./step.ts"

/** JSON text in a column: a string to Kysely, and its content to whoever parses it. */
export type Json<A> = string & { readonly json?: A }

type Column = string | number | bigint | boolean | Date | null
/** A column holds what JSON holds: a date as ISO text, a bigint as digits. */
type Stored<A> = A extends Date | bigint ? string : A
/** A missing key is NULL in a column. `{} extends Pick<…>` asks "may the key be missing?", which the field's own type doesn't tell. */
type FieldOf<Output, K extends keyof Output> =
  {} extends Pick<Output, K>
    ? Exclude<Output[K], undefined> | null
    : undefined extends Output[K]
      ? Exclude<Output[K], undefined> | null
      : Output[K]

/** Values of one kind keep their type, literal unions included. A list, a mixed union, or a struct that may be missing is JSON. */
type ColumnOf<A> = [A] extends [Column] ? (IsOneKind<Exclude<Stored<A>, null>> extends true ? Stored<A> : TextOf<A>) : TextOf<A>
/** Asked one by one: a tuple of a union passes for a union of tuples. */
type IsOneKind<A> = [A] extends [string] ? true : [A] extends [number] ? true : [A] extends [boolean] ? true : false
type TextOf<A> = null extends A ? Text<Exclude<A, null>> | null : Text<A>
/** What has methods, such as a URL, is encoded as some text of its own. */
type Text<A> = [A] extends [ReadonlyArray<unknown>] ? Json<A> : HasMethods<A> extends true ? string : Json<A>

type HasMethods<A> = true extends { [K in keyof A]-?: IsFunction<A[K]> }[keyof A] ? true : false
/** `any` and `unknown` are no functions, though `any` would pass for one. */
type IsFunction<A> = unknown extends A ? false : A extends (...args: never) => unknown ? true : false
type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never
/** One struct, always there, whose fields have names. */
type IsStruct<A> = [A] extends [Column | ReadonlyArray<unknown>]
  ? false
  : [A] extends [object]
    ? [keyof A] extends [never]
      ? false
      : string extends keyof A
        ? false
        : HasMethods<A> extends true
          ? false
          : [A] extends [UnionToIntersection<A>]
            ? true
            : false
    : false

/**
 * Flattens structs: { label: { kind }, tags } gives label_kind and tags. Of a union of structs, the fields that all of them have.
 * A field with a decoding default is NULL where the input left it out.
 */
export type Columns<Output, Prefix extends string = ""> = Simplify<
  {
    readonly [
      K in keyof Output & string as string extends K
        ? never
        : true extends IsStruct<FieldOf<Output, K>> | IsFunction<Output[K]>
          ? never
          : `${Prefix}${K}`
    ]-?: ColumnOf<FieldOf<Output, K>>
  } & UnionToIntersection<
    {
      [K in keyof Output & string]: string extends K
        ? {}
        : IsStruct<FieldOf<Output, K>> extends true
          ? Columns<Output[K], `${Prefix}${K}_`>
          : {}
    }[keyof Output & string]
  >
>

/** One column: where its value stands in the JSON, and what it holds. */
export interface FlatColumn {
  readonly name: string
  readonly path: ReadonlyArray<string>
  readonly type: "string" | "number" | "boolean" | "json"
  readonly nullable: boolean
}

/** A JSON Schema (2020-12), as far as it is looked at here. */
export interface JsonSchema {
  readonly type?: string | ReadonlyArray<string>
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly allOf?: ReadonlyArray<JsonSchema>
  readonly enum?: ReadonlyArray<unknown>
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
}

/** The JSON Schema of what `schema` decodes from. Throws where a part of it has no JSON form. */
export const jsonSchemaOf = (schema: PlainSchema): JsonSchema => {
  const document = Schema.toJsonSchemaDocument(schema)
  const definitions = document.definitions as Readonly<Record<string, JsonSchema>>
  return Object.keys(definitions).length === 0
    ? (document.schema as JsonSchema)
    : { ...(document.schema as JsonSchema), $defs: definitions }
}

/** Flattens a struct to columns joined by `_`, as `Columns` does. */
export const columnsOf = (schema: JsonSchema): ReadonlyArray<FlatColumn> => flatten(schema, schema.$defs ?? {}, [])

/**
 * The columns of what a schema stores: the names and places of its encoded fields with the kinds of its decoded ones, so that a
 * number in a CSV's cell is a number to a query.
 */
export const storedColumns = (schema: PlainSchema): ReadonlyArray<FlatColumn> => {
  const decoded = new Map(decodedColumns(schema).map(({ name, type }) => [name, type]))
  return columnsOf(jsonSchemaOf(schema)).map((column) => {
    const type = decoded.get(column.name) ?? "json"
    return { ...column, type: type === "json" && column.type === "string" ? "string" : type }
  })
}

/** Columns that `Columns` promises and that have no stored field of their name: renamed by the schema, or within another text. */
export const unstoredColumns = (schema: PlainSchema): ReadonlyArray<string> => {
  const stored = new Set(columnsOf(jsonSchemaOf(schema)).map(({ name }) => name))
  return decodedColumns(schema).flatMap(({ name }) => (stored.has(name) ? [] : [name]))
}

const decodedColumns = (schema: PlainSchema): ReadonlyArray<FlatColumn> => columnsOf(jsonSchemaOf(Schema.toType(schema)))

/** Whether whatever the schema allows is an object. */
export const allowsObjectsOnly = (schema: JsonSchema): boolean =>
  alternatives(schema, schema.$defs ?? {}).every(({ type }) => type === "object")

type Definitions = NonNullable<JsonSchema["$defs"]>

const flatten = (schema: JsonSchema, definitions: Definitions, path: ReadonlyArray<string>): ReadonlyArray<FlatColumn> => {
  const structs = alternatives(schema, definitions)
  const names = Object.keys(structs[0]?.properties ?? {}).filter((name) =>
    structs.every(({ properties }) => properties?.[name] !== undefined)
  )
  return names.flatMap((name): ReadonlyArray<FlatColumn> => {
    const all = distinct(structs.flatMap(({ properties }) => alternatives(properties?.[name] ?? {}, definitions)))
    const values = all.filter(({ type }) => type !== "null")
    const nullable = values.length < all.length || structs.some(({ required }) => !(required ?? []).includes(name))
    const [value] = values
    const at = [...path, name]
    return value !== undefined && values.length === 1 && isStruct(value) && !nullable && at.length < depthMax
      ? flatten(value, definitions, at)
      : [{ name: at.join("_"), path: at, type: scalarOf(values), nullable }]
  })
}

/** Stops at a struct that always contains itself. No value fits such a schema, so nothing is lost. */
const depthMax = 32

/** What a value may be: a union taken apart, references followed. */
const alternatives = (schema: JsonSchema, definitions: Definitions): ReadonlyArray<JsonSchema> => {
  if (schema.$ref !== undefined) return alternatives(definitions[referenced(schema.$ref)] ?? {}, definitions)
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap((branch) => alternatives(branch, definitions))
}

/** A reference is a URI with a JSON pointer in it. */
const referenced = (ref: string): string => decodeURIComponent(ref.replace("#/$defs/", "")).replaceAll("~1", "/").replaceAll("~0", "~")

const distinct = (schemas: ReadonlyArray<JsonSchema>): ReadonlyArray<JsonSchema> => [
  ...new Map(schemas.map((schema) => [canonicalJson(schema), schema])).values()
]

const isStruct = ({ type, properties, allOf }: JsonSchema): boolean => type === "object" && properties !== undefined && allOf === undefined

const scalarOf = (schemas: ReadonlyArray<JsonSchema>): FlatColumn["type"] => {
  // NaN and the infinities are text in JSON, and numbers to a database that casts it.
  const hasNumber = schemas.some(({ type }) => type === "number")
  const kinds = new Set(
    schemas.filter((schema) => !(hasNumber && isNonFinite(schema))).map(({ type }) => (type === "integer" ? "number" : type))
  )
  const [kind] = kinds
  return kinds.size === 1 && (kind === "string" || kind === "number" || kind === "boolean") ? kind : "json"
}

const isNonFinite = (schema: JsonSchema): boolean => schema.enum?.every((value) => nonFinite.has(value)) ?? false
const nonFinite = new Set<unknown>(["Infinity", "-Infinity", "NaN"])
