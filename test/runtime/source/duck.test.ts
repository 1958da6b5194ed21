import * as fs from "node:fs"
import * as path from "node:path"

import { DuckDBInstance } from "@duckdb/node-api"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"

import { parquet, sql } from "../../../dsl/index.ts"
import { readSource } from "../../../runtime/source/read-source.ts"
import { failure, items, options, portions, rows, run, sourceOf, useFolder, verdicts, write } from "./source-support.ts"

const duck = async (...statements: ReadonlyArray<string>): Promise<void> => {
  const instance = await DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  for (const statement of statements) await connection.run(statement)
  connection.closeSync()
  instance.closeSync()
}

const Any = Schema.Struct({ id: Schema.Unknown })
const any = { schema: Any, key: () => "k" }
/** What an item's `id` is for a DuckDB expression. */
const valueOf = async (expression: string): Promise<unknown> => {
  const [item] = await items(sql(`select ${expression} as id`, any))
  return JSON.parse(item?.body ?? "").id
}

/** Where queries of this test spill: its own folder stands in for the system's. */
const spillFolders = () => fs.readdirSync("spill").map((folder) => path.join("spill", folder))

describe("a DuckDB query", () => {
  useFolder()
  beforeEach(() => {
    fs.mkdirSync("spill")
    vi.stubEnv("TMPDIR", path.resolve("spill"))
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it("[PAR-4] gives a row an item, in the query's order; its place is the ordinal", async () => {
    write("in.csv", "id,text\nb,two\na,one\n")
    expect(await items(sql("select id, text from 'in.csv' order by id", options))).toEqual([
      expect.objectContaining({
        key: "a",
        item: { id: "a", text: "one" },
        body: '{"id":"a","text":"one"}',
        place: { file: "query", line: 1 }
      }),
      expect.objectContaining({ key: "b", bytes: 23, place: { file: "query", line: 2 } })
    ])
  })

  it.each([
    ["12::bigint", 12],
    ["9007199254740993::bigint", "9007199254740993"],
    ["170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"],
    ["1.10::decimal(10,2)", 1.1],
    ["-0.07::decimal(10,2)", -0.07],
    ["12345678901234567.89::decimal(30,2)", "12345678901234567.89"],
    ["0.5::double", 0.5],
    ["'NaN'::double", null],
    ["'-Infinity'::double", "-Infinity"],
    ["null", null],
    ["true", true],
    ["date '2024-02-29'", "2024-02-29"],
    ["timestamp '2024-02-29 13:00:00'", "2024-02-29T13:00:00Z"],
    ["timestamp '2024-02-29 13:00:00.123456'", "2024-02-29T13:00:00.123456Z"],
    ["timestamptz '2024-02-29 13:00:00+02'", "2024-02-29T11:00:00Z"],
    ["timestamp 'infinity'", "infinity"],
    ["time '13:00:00'", "13:00:00"],
    ["'\\xAA\\xFF'::blob", "qv8="],
    ["'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    ["[1, null, 3]", [1, null, 3]],
    ["{a: 1, b: {c: [timestamp '2024-01-01']}}", { a: 1, b: { c: ["2024-01-01T00:00:00Z"] } }],
    ["map {'a': 1.5, 'b': null}", { a: 1.5, b: null }],
    ["map {1: 'x'}", [{ key: 1, value: "x" }]],
    ["'x'::enum('x', 'y')", "x"],
    ["interval 90 minute", "01:30:00"],
    ["union_value(n := 3)", 3]
  ])("%s is %j in JSON", async (expression, json) => {
    expect(await valueOf(expression)).toEqual(json)
  })

  it("[case 32] NaN is null, which a schema of numbers rejects with its place", async () => {
    const source = sql("select 'a' as id, 'NaN'::double as score union all select 'b', 2", {
      schema: Schema.Struct({ id: Schema.String, score: Schema.Finite }),
      key: ({ id }) => id
    })
    expect(await verdicts(source)).toEqual(['query:1 schema: Expected number at ["score"]', "b"])
  })

  it("[PAR-4] streams: a query of a billion rows gives its first ones at once, and leaves nothing behind", async () => {
    const [first] = await portions(sql("select range::varchar as id, '' as text from range(1000000000)", options), 1)
    expect(first?.map(({ kind }) => kind)).toEqual(Array.from({ length: 1000 }, () => "item"))
    expect(spillFolders()).toEqual([])
  })

  it("a query that fails, at its start or on the way, stops the source with DuckDB's first line", async () => {
    expect((await failure(sql("\n select id from nowhere\nwhere true", options))).message).toMatch(
      /^The query "select id from nowhere" failed: .*Catalog Error: Table with name nowhere does not exist!\. Relative paths start from /
    )
    const late = await failure(
      sql("select case when range > 5000 then error('boom') else 'a' end as id, '' as text from range(9000)", options)
    )
    expect(late).toMatchObject({ reason: "query", detail: expect.stringContaining("boom") })
  })

  it("an interrupted query stops at once, and its temporary folder goes", async () => {
    const spilled = () => spillFolders().filter((folder) => fs.readdirSync(folder).length > 0)
    const sort = sql("select repeat(md5(range::varchar), 200) as id, '' as text from range(10000000000) order by id", options)
    // Spilling is the one outward sign that DuckDB is in the middle of its sort.
    const untilItSpills = Effect.gen(function* () {
      while (spilled().length === 0) yield* Effect.yieldNow
      return "spilling"
    })
    expect(await Effect.runPromise(Effect.raceFirst(Stream.runDrain(readSource(sourceOf(sort), run)), untilItSpills))).toBe("spilling")
    expect(spillFolders()).toEqual([])
  })

  it("refuses two columns of one name", async () => {
    expect((await failure(sql("select 1 as id, 2 as id", options))).message).toContain('two columns are called "id"')
  })
})

describe("Parquet", () => {
  useFolder()

  it("[PAR-4] reads all files of a glob in order; a row's place is its file and its ordinal in it", async () => {
    fs.mkdirSync("in")
    await duck(
      "copy (select 'b' || range as id, 'x' as text from range(2)) to 'in/b.parquet'",
      "copy (select 'a' || range as id, 'x' as text, 7 as file_row_number from range(3)) to 'in/a.parquet'"
    )
    expect((await items(parquet("in/*.parquet", options))).map(({ key, place }) => [key, place.file, place.line])).toEqual([
      ["a0", "in/a.parquet", 1],
      ["a1", "in/a.parquet", 2],
      ["a2", "in/a.parquet", 3],
      ["b0", "in/b.parquet", 1],
      ["b1", "in/b.parquet", 2]
    ])
  })

  it("keeps the order of rows over row groups and threads", async () => {
    await duck("copy (select range::varchar as id, '' as text from range(30000)) to 'in.parquet' (row_group_size 2048)")
    const found = await items(parquet("in.parquet", options))
    expect(found.every(({ key, place }, index) => key === `${index}` && place.line === index + 1)).toBe(true)
    expect(found).toHaveLength(30_000)
  })

  it("a column that an older file lacks is null in its rows, and no column is added to the row", async () => {
    await duck("copy (select 'a' as id) to 'a.parquet'", "copy (select 'b' as id, 'x' as text) to 'b.parquet'")
    const loose = { schema: Schema.Struct({ id: Schema.String, text: Schema.NullOr(Schema.String) }), key: ({ id }: { id: string }) => id }
    expect((await items(parquet("*.parquet", loose))).map(({ body }) => body)).toEqual(['{"id":"a","text":null}', '{"id":"b","text":"x"}'])
  })

  it("[case 19] a file without rows is zero rows", async () => {
    await duck("copy (select 'a' as id, '' as text where false) to 'in.parquet'")
    expect(await rows(parquet("in.parquet", options))).toEqual([])
  })

  it("a file that is no Parquet stops the source, naming it", async () => {
    write("it's.parquet", "id,text\na,b\n")
    expect((await failure(parquet("it's.parquet", options))).message).toMatch(/^Reading it's\.parquet failed: .*it's\.parquet/)
  })
})
