import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"

import { stream } from "../../../dsl/index.ts"
import { failure, items, options, portions, useFolder, verdicts } from "./source-support.ts"

describe("a stream of rows", () => {
  useFolder()

  it("[PAR-4] gives each encoded row as an item; its place is its ordinal", async () => {
    const source = stream(({ date }) => Stream.make({ id: date, text: "one" }, { id: "b", text: "two" }), options)
    expect(await items(source)).toEqual([
      expect.objectContaining({ key: "2026-03-01", body: '{"id":"2026-03-01","text":"one"}', place: { file: "stream", line: 1 } }),
      expect.objectContaining({ key: "b", place: { file: "stream", line: 2 } })
    ])
  })

  it("keeps what JSON has no word for, as the schema's JSON form", async () => {
    const Rich = Schema.Struct({ id: Schema.String, at: Schema.Date, size: Schema.BigInt })
    const source = stream(() => Stream.make({ id: "a", at: new Date(0), size: 2n ** 70n }), { schema: Rich, key: ({ id }) => id })
    const [row] = await items(source)
    expect(row?.item).toEqual({ id: "a", at: new Date(0), size: 2n ** 70n })
    expect(row?.body).toBe('{"id":"a","at":"1970-01-01T00:00:00.000Z","size":"1180591620717411303424"}')
  })

  it("[PAR-1] sets aside a row that doesn't fit, and reads on", async () => {
    const rows = [{ id: "a" }, { id: "b", text: "two" }] as unknown as ReadonlyArray<{ id: string; text: string }>
    expect(await verdicts(stream(() => Stream.fromIterable(rows), options))).toEqual([
      expect.stringMatching(/^stream:1 schema: .*\["text"\]/),
      "b"
    ])
  })

  it("a stream that fails stops the source, with what it said", async () => {
    const source = stream(() => Stream.concat(Stream.make({ id: "a", text: "" }), Stream.fail({ code: 7 })), options)
    expect((await failure(source)).message).toBe(
      "The rows of stream(…) ended with an error: { code: 7 }. Nothing was sent to a model yet: mend the stream, then `runtime run` again."
    )
  })

  it("[case 41] of a million rows no more are asked for than are handed on", async () => {
    let made = 0
    const source = stream(
      () =>
        Stream.map(Stream.range(1, 1_000_000), (n) => {
          made++
          return { id: `${n}`, text: "" }
        }),
      options
    )
    const taken = await portions(source, 3)
    expect(taken.map((portion) => portion.length)).toEqual([1000, 1000, 1000])
    expect(made).toBeLessThan(10_000)
  })

  it("gathers single rows into portions, and large ones into smaller portions", async () => {
    const single = stream(
      () =>
        Stream.rechunk(
          Stream.map(Stream.range(1, 1500), (n) => ({ id: `${n}`, text: "" })),
          1
        ),
      options
    )
    expect((await portions(single)).map((portion) => portion.length)).toEqual([1000, 500])
    const text = "x".repeat(1024 * 1024)
    const large = stream(() => Stream.map(Stream.range(1, 10), (n) => ({ id: `${n}`, text })), options)
    expect((await portions(large)).map((portion) => portion.length)).toEqual([4, 4, 2])
  })
})
