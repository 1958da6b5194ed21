import * as DuckDb from "@duckdb/node-api"
import { Kysely, sql, type Generated } from "kysely"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { duckDialect } from "../../../runtime/store/dialect.ts"

interface Tables {
  samples: {
    id: Generated<number>
    big: number | bigint | null
    text: string | null
    at: Date | null
    on: boolean | null
    ratio: number | null
    json: unknown
  }
}

let instance: DuckDb.DuckDBInstance
let db: Kysely<Tables>

beforeAll(async () => {
  instance = await DuckDb.DuckDBInstance.create(":memory:", { threads: "1" })
  db = new Kysely<Tables>({ dialect: duckDialect(instance) })
  // Results must not depend on where a machine stands.
  await sql`set global TimeZone = 'Australia/Sydney'`.execute(db)
  await sql`create sequence ids`.execute(db)
  await sql`create table samples (id bigint default nextval('ids'), big bigint, text varchar, "at" timestamptz, "on" boolean, ratio double, json json)`.execute(
    db
  )
})
afterAll(async () => {
  await db.destroy()
  instance.closeSync()
})

const empty = { big: null, text: null, at: null, on: null, ratio: null, json: null }
const one = async (expression: string): Promise<unknown> => {
  const { rows } = await sql<{ v: unknown }>`select ${sql.raw(expression)} as v`.execute(db)
  return rows[0]?.v
}

describe("[CRD-4] Kysely over DuckDB", () => {
  it("gives back what it was given", async () => {
    const rows = [
      { ...empty, big: 0, text: "", ratio: -0.5, on: false },
      { ...empty, big: Number.MAX_SAFE_INTEGER, text: "é \u2028 '; --", ratio: 1e300, on: true },
      { ...empty, big: -(2n ** 63n), at: new Date("2026-03-29T00:59:59.123Z") },
      { ...empty, big: 2n ** 63n - 1n, at: new Date(0), ratio: Number.MIN_VALUE },
      { ...empty, text: "a\0b", at: new Date("1969-12-31T23:59:59.999Z") }
    ]
    await db.insertInto("samples").values(rows).execute()
    const found = await db.selectFrom("samples").select(["big", "text", "at", "on", "ratio", "json"]).orderBy("id").execute()
    expect(found).toEqual(rows)
  })

  it("turns each type of DuckDB into a plain value", async () => {
    const types: ReadonlyArray<readonly [string, unknown]> = [
      ["42::hugeint", 42],
      ["9007199254740993", 9_007_199_254_740_993n],
      ["1.50::decimal(9, 2)", "1.50"],
      ["'NaN'::double", Number.NaN],
      ["null", null],
      ["date '2026-02-28'", "2026-02-28"],
      ["time '23:59:59'", "23:59:59"],
      ["interval '1 day'", "1 day"],
      ["uuid 'a1b2c3d4-0000-4000-8000-000000000000'", "a1b2c3d4-0000-4000-8000-000000000000"],
      ["timestamp '2026-01-01 00:00:00.5'", new Date("2026-01-01T00:00:00.500Z")],
      ["timestamptz '2026-01-01 00:00:00+00'", new Date("2026-01-01T00:00:00Z")],
      ["'\\xAA\\x00'::blob", new Uint8Array([0xaa, 0])],
      ["[1, null, 3]", [1, null, 3]],
      ["array_value(1, 2)", [1, 2]],
      ["{'a': 1, 'b': [date '2026-01-01']}", { a: 1, b: ["2026-01-01"] }],
      ["map {'k': 2::bigint}", { k: 2 }],
      ["'{\"a\":1}'::json", '{"a":1}'],
      ["'x'::enum('x', 'y')", "x"]
    ]
    for (const [expression, value] of types) {
      const found = await one(expression)
      expect(found instanceof Uint8Array ? new Uint8Array(found) : found, expression).toEqual(value)
    }
  })

  it("binds whole numbers as BIGINT, so that a column's zone maps can be used, and objects as JSON", async () => {
    const typeOf = async (value: unknown) => (await sql<{ t: string }>`select typeof(${value}) as t`.execute(db)).rows[0]?.t
    expect(await Promise.all([1, 2 ** 52, 5n, 0.5, 1e300].map(typeOf))).toEqual(["BIGINT", "BIGINT", "BIGINT", "DOUBLE", "DOUBLE"])
    expect(await Promise.all(["a", true, new Date(0)].map(typeOf))).toEqual(["VARCHAR", "BOOLEAN", "TIMESTAMP WITH TIME ZONE"])
    expect((await sql<{ v: string }>`select ${{ a: [1] }}::json->>'$.a[0]' as v`.execute(db)).rows).toEqual([{ v: "1" }])
  })

  it("compares instants, not the clocks on the wall", async () => {
    const at = new Date("2026-10-03T16:30:00.000Z")
    const { rows } = await sql<{
      same: boolean
      hour: number
    }>`select ${at} = timestamptz '2026-10-04 03:30:00+11' as same, hour(${at}) as hour`.execute(db)
    // Sydney's clocks went from 2 to 3 at that hour.
    expect(rows).toEqual([{ same: true, hour: 3 }])
  })

  it("counts the rows that a statement changed, and returns those that it asks for", async () => {
    await sql`create table counted (n integer)`.execute(db)
    const counted = db as unknown as Kysely<{ counted: { n: number } }>
    const inserted = await counted
      .insertInto("counted")
      .values([{ n: 1 }, { n: 2 }, { n: 3 }])
      .executeTakeFirstOrThrow()
    const updated = await counted.updateTable("counted").set({ n: 9 }).where("n", ">", 1).executeTakeFirstOrThrow()
    const deleted = await counted.deleteFrom("counted").where("n", "=", 9).executeTakeFirstOrThrow()
    expect([inserted.numInsertedOrUpdatedRows, updated.numUpdatedRows, deleted.numDeletedRows]).toEqual([3n, 2n, 2n])
    const returned = await counted
      .insertInto("counted")
      .values([{ n: 7 }, { n: 8 }])
      .returning("n")
      .execute()
    expect(returned).toEqual([{ n: 7 }, { n: 8 }])
  })

  it("streams a result a row at a time without holding it, and goes on after a break", async () => {
    const rows = db.selectNoFrom(sql<number>`unnest(range(1000000))`.as("n"))
    let seen = 0
    for await (const { n } of rows.stream()) {
      expect(n).toBe(seen)
      if (++seen === 5_000) break
    }
    let sum = 0
    for await (const { n } of db.selectNoFrom(sql<number>`unnest(range(10000))`.as("n")).stream(500)) sum += n
    expect([seen, sum]).toEqual([5_000, 49_995_000])
  })

  it("keeps a transaction's rows to itself until it is committed, and none of one that failed", async () => {
    await sql`create table kept (n integer)`.execute(db)
    const kept = db as unknown as Kysely<{ kept: { n: number } }>
    const count = async () =>
      (
        await kept
          .selectFrom("kept")
          .select(({ fn }) => fn.countAll<number>().as("n"))
          .executeTakeFirstOrThrow()
      ).n
    await kept.transaction().execute(async (transaction) => {
      await transaction.insertInto("kept").values({ n: 1 }).execute()
      expect(await count()).toBe(0)
    })
    const failing = kept.transaction().execute(async (transaction) => {
      await transaction.insertInto("kept").values({ n: 2 }).execute()
      await sql`select error('stop')`.execute(transaction)
    })
    await expect(failing).rejects.toThrow("stop")
    expect(await count()).toBe(1)
    await expect(
      kept
        .transaction()
        .setIsolationLevel("serializable")
        .execute(async () => undefined)
    ).rejects.toThrow("snapshot only")
  })

  it("names a column twice when a query does", async () => {
    const { rows } = await sql`select 1 as a, 2 as a`.execute(db)
    expect(rows).toEqual([{ a: 1, "a:1": 2 }])
  })
})
