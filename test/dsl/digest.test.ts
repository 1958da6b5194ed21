import { it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { describe, expect } from "vitest"

import { canonicalJson, digest } from "../../dsl/index.ts"

const checks = { arbitrary: { seed: 2026, runs: 300 } }
const value = Arbitrary.schema(
  Schema.Record(
    Schema.String,
    Schema.Union([Schema.String, Schema.Finite, Schema.Record(Schema.String, Schema.Boolean), Schema.Array(Schema.String)])
  )
)
const turned = (json: unknown): unknown =>
  typeof json === "object" && json !== null && !Array.isArray(json)
    ? Object.fromEntries(
        Object.entries(json)
          .toReversed()
          .map(([key, field]) => [key, turned(field)])
      )
    : json

describe("canonical JSON", () => {
  it.prop(
    "[CRD-2] is the same whatever order fields were written in, at every depth, and loses nothing",
    [value],
    ([json]) => {
      expect(canonicalJson(turned(json))).toBe(canonicalJson(json))
      expect(digest(turned(json))).toBe(digest(json))
      expect(JSON.parse(canonicalJson(json))).toEqual(JSON.parse(JSON.stringify(json)))
    },
    checks
  )

  it("sorts by code unit, keeps lists as they are, leaves out what is undefined, and has no spaces", () => {
    expect(canonicalJson({ b: [2, 1, { z: 1, y: undefined }], a: null, B: "ä b" })).toBe('{"B":"ä b","a":null,"b":[2,1,{"z":1}]}')
  })

  it("tells apart what differs", () => {
    const values = [{}, [], null, "", "{}", 0, { a: 1 }, { a: "1" }, [1, 2], [2, 1]]
    expect(new Set(values.map(digest)).size).toBe(values.length)
  })

  it("is digested as the first 128 bits of SHA-256", () => {
    // printf '{"a":1}' | sha256sum
    expect(digest({ a: 1 })).toBe("015abd7f5cc57a2dd94b7590f04ad808")
  })
})
