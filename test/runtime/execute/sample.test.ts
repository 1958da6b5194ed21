import { it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { afterAll, describe, expect } from "vitest"

import {
  csv,
  files,
  infer,
  job,
  jsonl,
  local,
  partition,
  sql,
  stream,
  usd,
  user,
  type PartitionOptions,
  type Source
} from "../../../dsl/index.ts"
import { makeGraph } from "../../../runtime/execute/graph.ts"
import { sampleSource } from "../../../runtime/execute/sample.ts"
import { tempFolder } from "../../support/run-command.ts"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const Item = Schema.Struct({ id: Schema.String })
type Item = typeof Item.Type
const options = { schema: Item, key: ({ id }: Item) => id }

const sampled = (source: Source<Item>, partitions: PartitionOptions<Item, string> = {}) => {
  const labels = infer(partition(source, partitions), { model: local("m", () => ({})), prompt: ({ id }) => [user`${id}`], output: Item })
  const graph = makeGraph(job("test", { owner: "x", purpose: "y", classification: "public", budget: usd(1), steps: { labels } }))
  const day = new Date("2026-11-02")
  return sampleSource(graph, { date: "2026-11-02", interval: { start: day, end: day }, params: {} }, Context.empty())
}

const lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => JSON.stringify({ id: `k${100_000 + index}` })).join("\n")

describe("a sample of the input", () => {
  it.effect("[PAR-1] is all of a small one, and finds broken rows and second rows of a key with their places", () =>
    Effect.gen(function* () {
      const path = folder.write("small.jsonl", '{"id":"a"}\nnot json\n{"id":"a"}\n{"id":7}\n{"id":"b"}\n')
      const sample = yield* sampled(jsonl(path, options))
      expect(sample).toMatchObject({ isWhole: true, rowsTotal: 5 })
      expect(sample.items.map(({ key }) => key)).toEqual(["a", "b"])
      expect(sample.rejections.map(({ code, place }) => [code, place.line])).toEqual([
        ["unreadable", 2],
        ["duplicate", 3],
        ["schema", 4]
      ])
      expect(sample.rejections[1]?.reason).toBe(`the key is the same as that of ${path}:1, which is kept`)
    })
  )

  it.effect("a partition callback that throws rejects the row, as the manifest does", () =>
    Effect.gen(function* () {
      const path = folder.write("labels.jsonl", lines(3))
      const sample = yield* sampled(jsonl(path, options), { by: ({ id }) => (id === "k100001" ? "" : "all") })
      expect(sample.items.map(({ label }) => label)).toEqual(["all", "all"])
      expect(sample.rejections[0]).toMatchObject({
        code: "partition",
        reason: 'the partition step failed: by returned "": it must be a string that isn\'t empty'
      })
    })
  )

  it.effect("of exactly as many rows as are read at most is whole", () =>
    Effect.gen(function* () {
      const sample = yield* sampled(jsonl(folder.write("brim.jsonl", lines(20_000)), options))
      expect(sample).toMatchObject({ isWhole: true, rowsTotal: 20_000 })
    })
  )

  it.effect("of many rows of text is left early, and the rest reckoned by bytes", () =>
    Effect.gen(function* () {
      folder.write("many/1.jsonl", lines(15_000))
      folder.write("many/2.jsonl", lines(60_000))
      folder.write("many/3.jsonl", lines(25_000))
      const sample = yield* sampled(jsonl(`${folder.path}/many/*.jsonl`, options))
      expect(sample.isWhole).toBe(false)
      expect(sample.items.length + sample.rejections.length).toBeLessThan(22_000)
      expect(Math.abs((sample.rowsTotal ?? 0) - 100_000)).toBeLessThan(100)
    })
  )

  it.effect("of a CSV with rows of several lines is reckoned by bytes too", () =>
    Effect.gen(function* () {
      const rows = Array.from({ length: 50_000 }, (_, index) => `"k${100_000 + index}\nsecond line"`)
      const sample = yield* sampled(csv(folder.write("many.csv", `id\n${rows.join("\n")}\n`), options))
      expect(sample.isWhole).toBe(false)
      expect(Math.abs((sample.rowsTotal ?? 0) - 50_000)).toBeLessThan(100)
    })
  )

  it.effect("of a query is counted by DuckDB", () =>
    Effect.gen(function* () {
      const sample = yield* sampled(sql("select i::varchar as id from range(300000) t(i) order by i;", options))
      expect(sample).toMatchObject({ isWhole: false, rowsTotal: 300_000 })
    })
  )

  it.effect("of a folder of files knows how many there are", () =>
    Effect.gen(function* () {
      for (const name of ["a", "b", "c"]) folder.write(`texts/${name}.txt`, name)
      const source = files(`${folder.path}/texts/*.txt`, { schema: Item, parse: (file) => ({ id: file.text() }) })
      expect(yield* sampled(source)).toMatchObject({ isWhole: true, rowsTotal: 3 })
    })
  )

  it.effect("of a source that gives nothing for long is left, and its length is unknown", () =>
    Effect.gen(function* () {
      const reading = yield* Effect.forkChild(sampled(stream(() => Stream.concat(Stream.make({ id: "a" }), Stream.never), options)))
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(reading)).toMatchObject({ isWhole: false, rowsTotal: null })
    })
  )

  it.effect("of files that are slow to parse still knows how many there are, though it saw none", () =>
    Effect.gen(function* () {
      for (const name of ["a", "b", "c"]) folder.write(`slow/${name}.txt`, name)
      const reading = yield* Effect.forkChild(sampled(files(`${folder.path}/slow/*.txt`, { schema: Item, parse: () => Effect.never })))
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(reading)).toEqual({ items: [], examples: [], rejections: [], rowsTotal: 3, isWhole: false })
    })
  )

  it.effect("[case 63] of a missing file fails and names it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(sampled(jsonl(`${folder.path}/absent.jsonl`, options)))
      expect(error.message).toContain("absent.jsonl does not exist")
    })
  )
})
