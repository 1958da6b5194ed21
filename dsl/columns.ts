/** The flat columns of a schema: what `Columns` says in types, said for a database. */
import * as Schema from "effect/Schema"

import type { PlainSchema } from "./step.ts"

/** One column: where its value stands in the JSON, and what it holds. */
export interface FlatColumn {
  readonly name: string
  readonly path: ReadonlyArray<string>
  readonly type: "string" | "number" | "boolean" | "json"
  readonly nullable: boolean
}

/** A JSON Schema (2020-12) object, as far as it is looked at here. */
export interface JsonSchema {
  readonly type?: string | ReadonlyArray<string>
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly enum?: ReadonlyArray<unknown>
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
}

/** The JSON Schema of what `schema` decodes from. Throws where a part of it has no JSON form. */
export const jsonSchemaOf = (schema: PlainSchema): JsonSchema => {
  const document = Schema.toJsonSchemaDocument(schema)
  const definitions = document.definitions as Readonly<Record<string, JsonSchema>>
  return Object.keys(definitions).length === 0 ? (document.schema as JsonSchema) : { ...(document.schema as JsonSchema), $defs: definitions }
}

/** Flattens structs to columns joined by `_`; lists and mixed unions stay JSON. */
export const columnsOf = (schema: JsonSchema): ReadonlyArray<FlatColumn> => flatten(schema, schema.$defs ?? {}, [], false)

const flatten = (
  schema: JsonSchema,
  definitions: Readonly<Record<string, JsonSchema>>,
  path: ReadonlyArray<string>,
  nullable: boolean
): ReadonlyArray<FlatColumn> =>
  Object.entries(schema.properties ?? {}).flatMap(([field, raw]) => {
    const { schema: inner, nullable: innerNull } = withoutNull(resolved(raw, definitions), definitions)
    const isNullable = nullable || innerNull || !(schema.required ?? []).includes(field)
    const at = [...path, field]
    if (isStruct(inner) && at.length < depthMax) return flatten(inner, definitions, at, isNullable)
    return [{ name: at.join("_"), path: at, type: scalarOf(inner), nullable: isNullable }]
  })

/** A recursive schema ends as JSON here. */
const depthMax = 8

const resolved = (schema: JsonSchema, definitions: Readonly<Record<string, JsonSchema>>): JsonSchema =>
  schema.$ref === undefined ? schema : (definitions[schema.$ref.replace(/^#\/(\$defs|definitions)\//, "")] ?? {})

const withoutNull = (schema: JsonSchema, definitions: Readonly<Record<string, JsonSchema>>) => {
  const branches = schema.anyOf?.map((branch) => resolved(branch, definitions))
  const rest = branches?.filter((branch) => branch.type !== "null")
  if (branches === undefined || rest === undefined || rest.length === branches.length) return { schema, nullable: false }
  const only = rest.length === 1 ? rest[0] : undefined
  return { schema: only ?? { anyOf: rest }, nullable: true }
}

const isStruct = (schema: JsonSchema): boolean => schema.type === "object" && Object.keys(schema.properties ?? {}).length > 0

const scalarOf = (schema: JsonSchema): FlatColumn["type"] => {
  const kinds = new Set((schema.anyOf ?? [schema]).map(({ type }) => (type === "integer" ? "number" : type)))
  const [kind] = kinds
  return kinds.size === 1 && (kind === "string" || kind === "number" || kind === "boolean") ? kind : "json"
}
