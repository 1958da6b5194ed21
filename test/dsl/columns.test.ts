import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import { storedColumns, unstoredColumns } from "../../dsl/columns.ts"
import { columnsOf, jsonSchemaOf, type Columns } from "../../dsl/index.ts"

/** A column's kind as its type says it, with `?` where it may be NULL. */
type KindOf<A> = null extends A ? `${Kind<Exclude<A, null>>}?` : Kind<A>
type Kind<A> = [A] extends [never]
  ? "json"
  : unknown extends A
    ? "json"
    : "json" extends keyof A
      ? "json"
      : [A] extends [string]
        ? "string"
        : [A] extends [number]
          ? "number"
          : [A] extends [boolean]
            ? "boolean"
            : "no column"
type Kinds<A> = { readonly [K in keyof Columns<A>]: KindOf<Columns<A>[K]> }

/** A case: `kinds` is what the types promise (the compiler refuses any other), and what the database must get. */
const given = <S extends Schema.Codec<unknown, unknown>>(what: string, schema: S, kinds: Kinds<S["Type"]>) => ({ what, schema, kinds })

const City = Schema.Struct({ city: Schema.String, geo: Schema.Struct({ lat: Schema.Finite }) })
interface Tree {
  readonly name: string
  readonly left?: Tree
  readonly parent: Tree | null
  readonly kids: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  name: Schema.String,
  left: Schema.optionalKey(Schema.suspend((): Schema.Codec<Tree> => Tree)),
  parent: Schema.NullOr(Schema.suspend((): Schema.Codec<Tree> => Tree)),
  kids: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})
class Person extends Schema.Class<Person>("test/a person")({ name: Schema.String, at: City }) {}

const cases = [
  given(
    "scalars keep their kind",
    Schema.Struct({
      a: Schema.String,
      b: Schema.Finite,
      c: Schema.Int,
      d: Schema.Boolean,
      e: Schema.NonEmptyString,
      f: Schema.String.pipe(Schema.brand("Id"))
    }),
    { a: "string", b: "number", c: "number", d: "boolean", e: "string", f: "string" }
  ),
  // @effect-diagnostics-next-line schemaNumber:off
  given("NaN and infinities are numbers, though JSON writes them as text", Schema.Struct({ a: Schema.Number }), { a: "number" }),
  given(
    "literals of one kind keep it",
    Schema.Struct({ a: Schema.Literals(["x", "y"]), b: Schema.Literals([1, 2]), c: Schema.Literal(true) }),
    {
      a: "string",
      b: "number",
      c: "boolean"
    }
  ),
  given(
    "literals and unions of mixed kinds are JSON",
    Schema.Struct({ a: Schema.Literals(["x", 1]), b: Schema.Union([Schema.String, Schema.Boolean]) }),
    {
      a: "json",
      b: "json"
    }
  ),
  given(
    "dates are text, and bigints are digits",
    Schema.Struct({ a: Schema.Date, b: Schema.DateFromString, c: Schema.BigInt, d: Schema.Union([Schema.Date, Schema.String]) }),
    { a: "string", b: "string", c: "string", d: "string" }
  ),
  given(
    "what may be null, undefined or missing is NULL",
    Schema.Struct({
      a: Schema.NullOr(Schema.String),
      b: Schema.optionalKey(Schema.Finite),
      c: Schema.optional(Schema.Boolean),
      d: Schema.UndefinedOr(Schema.String),
      e: Schema.NullOr(Schema.Literals(["x"])),
      f: Schema.optionalKey(Schema.NullOr(Schema.String)),
      g: Schema.Null
    }),
    { a: "string?", b: "number?", c: "boolean?", d: "string?", e: "string?", f: "string?", g: "json?" }
  ),
  given("a struct that is always there becomes its fields", Schema.Struct({ id: Schema.String, place: City }), {
    id: "string",
    place_city: "string",
    place_geo_lat: "number"
  }),
  given(
    "an optional field of such a struct is NULL",
    Schema.Struct({ place: Schema.Struct({ city: Schema.optionalKey(Schema.String) }) }),
    {
      place_city: "string?"
    }
  ),
  given(
    "a struct that may be missing is one JSON column",
    Schema.Struct({ a: Schema.NullOr(City), b: Schema.optionalKey(City), c: Schema.optional(City) }),
    {
      a: "json?",
      b: "json?",
      c: "json?"
    }
  ),
  given(
    "lists, tuples, records, empty structs and unknown content are JSON",
    Schema.Struct({
      a: Schema.Array(Schema.String),
      b: Schema.Tuple([Schema.String, Schema.Finite]),
      c: Schema.Record(Schema.String, Schema.Finite),
      d: Schema.Struct({}),
      e: Schema.NullOr(Schema.Array(City)),
      f: Schema.Struct({ g: Schema.Array(Schema.Finite) })
    }),
    { a: "json", b: "json", c: "json", d: "json", e: "json?", f_g: "json" }
  ),
  given(
    "a union of structs is JSON",
    Schema.Struct({ a: Schema.Union([City, Schema.Struct({ x: Schema.String })]), b: Schema.Union([City, Schema.String]) }),
    {
      a: "json",
      b: "json"
    }
  ),
  given(
    "of a union of rows, the fields that all have",
    Schema.Union([
      Schema.Struct({ kind: Schema.Literal("a"), at: City, size: Schema.Finite, why: Schema.String, only: Schema.String }),
      Schema.Struct({ kind: Schema.Literal("b"), at: City, size: Schema.String, why: Schema.NullOr(Schema.String) })
    ]),
    { kind: "string", at_city: "string", at_geo_lat: "number", size: "json", why: "string?" }
  ),
  given("a struct that contains itself ends as JSON", Tree, { name: "string", left: "json?", parent: "json?", kids: "json" }),
  given("a class is a struct, at the top and within", Person, { name: "string", at_city: "string", at_geo_lat: "number" }),
  given("a class within", Schema.Struct({ person: Person }), {
    person_name: "string",
    person_at_city: "string",
    person_at_geo_lat: "number"
  }),
  given(
    "a schema with a name of its own",
    Schema.Struct({ at: City.annotate({ identifier: "a/b~c %" }) }).annotate({ identifier: "Top" }),
    {
      at_city: "string",
      at_geo_lat: "number"
    }
  ),
  given("what has methods is text", Schema.Struct({ a: Schema.URL, b: Schema.DateTimeUtcFromMillis, c: Schema.NullOr(Schema.URL) }), {
    a: "string",
    b: "string",
    c: "string?"
  }),
  given(
    "what a cell's text decodes to gives the kind",
    Schema.Struct({ a: Schema.FiniteFromString, b: Schema.Struct({ c: Schema.FiniteFromString }) }),
    { a: "number", b_c: "number" }
  )
]

const kindsOf = (schema: Schema.Codec<unknown, unknown>) =>
  Object.fromEntries(storedColumns(schema).map(({ name, type, nullable }) => [name, `${type}${nullable ? "?" : ""}`]))

describe("columns", () => {
  it.each(cases)("$what, to types and database alike", ({ schema, kinds }) => {
    expect(kindsOf(schema)).toEqual(kinds)
  })

  it("know where their value stands", () => {
    expect(columnsOf(jsonSchemaOf(Schema.Struct({ a_b: Schema.String, a: Schema.Struct({ c: Schema.Finite }) })))).toEqual([
      { name: "a_b", path: ["a_b"], type: "string", nullable: false },
      { name: "a_c", path: ["a", "c"], type: "number", nullable: false }
    ])
  })

  it("a field with a decoding default is NULL where the input left it out, which its type can't say", () => {
    const Defaulted = Schema.Struct({ size: Schema.Finite.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))) })
    expect(kindsOf(Defaulted)).toEqual({ size: "number?" })
  })

  it("a field that is stored under another name, or within a text, is told", () => {
    expect(unstoredColumns(Schema.Struct({ a: Schema.String, b: Schema.String }).pipe(Schema.encodeKeys({ a: "A" })))).toEqual(["a"])
    expect(unstoredColumns(Schema.Struct({ at: Schema.fromJsonString(City), id: Schema.String }))).toEqual(["at_city", "at_geo_lat"])
    expect(unstoredColumns(Schema.Struct({ a: Schema.FiniteFromString, at: City }))).toEqual([])
  })

  it("JSON within a text stays that text", () => {
    expect(kindsOf(Schema.Struct({ list: Schema.fromJsonString(Schema.Array(Schema.String)) }))).toEqual({ list: "string" })
  })

  it("a struct that never ends, which no value fits, ends", () => {
    interface Endless {
      readonly next: Endless
    }
    const Endless: Schema.Codec<Endless> = Schema.Struct({ next: Schema.suspend((): Schema.Codec<Endless> => Endless) })
    expect(columnsOf(jsonSchemaOf(Endless))).toMatchObject([{ type: "json", path: { length: 32 } }])
  })
})
