import * as fs from "node:fs"
import { gzipSync } from "node:zlib"

import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import { jsonl } from "../../../dsl/index.ts"
import { digestOf } from "../../../runtime/source/reference.ts"
import { failure, items, options, rows, useFolder, verdicts, write } from "./source-support.ts"

const line = (id: string, text = "") => JSON.stringify({ id, text })

describe("JSON Lines", () => {
  useFolder()

  it("[PAR-4] gives each line as an item, with its key, its own text as body, and its place", async () => {
    write("in.jsonl", `{"id": "a",  "text": "ä", "extra": [1]}\n${line("b", "two")}\n`)
    expect(await items(jsonl("in.jsonl", options))).toEqual([
      {
        kind: "item",
        key: "a",
        item: { id: "a", text: "ä" },
        body: '{"id": "a",  "text": "ä", "extra": [1]}',
        bytes: 40,
        reference: null,
        place: { file: "in.jsonl", line: 1 }
      },
      expect.objectContaining({ key: "b", place: { file: "in.jsonl", line: 2 } })
    ])
  })

  it("[PAR-1] sets broken lines aside with file, line and reason, and reads on", async () => {
    write("in/a.jsonl", `${line("1")}\n{"id": "2", \n{"id":3,"text":null}\n${line("")}\n${line("5")}`)
    const source = jsonl("in/*.jsonl", { schema: Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String }), key: ({ id }) => id })
    expect(await verdicts(source)).toEqual([
      "1",
      "in/a.jsonl:2 unreadable: not JSON at column 13: Expected double-quoted property name",
      'in/a.jsonl:3 schema: Expected string at ["id"]; Expected string at ["text"]',
      expect.stringMatching(/^in\/a\.jsonl:4 schema: .*at \["id"\]$/),
      "5"
    ])
  })

  it("[PAR-1] keeps the first 200 characters of a row that is set aside", async () => {
    write("in.jsonl", `{"id": ${"x".repeat(500)}`)
    const [row] = await rows(jsonl("in.jsonl", options))
    expect(row).toMatchObject({ kind: "rejected", excerpt: `{"id": ${"x".repeat(193)}` })
  })

  it("[PAR-1] a line that isn't UTF-8 is set aside, naming the byte; its neighbours are items", async () => {
    write("in.jsonl", Buffer.concat([Buffer.from(`${line("a")}\n{"id":"b\ufffd`), Buffer.from([0xe9]), Buffer.from(`"}\n${line("c")}\n`)]))
    expect(await verdicts(jsonl("in.jsonl", options))).toEqual([
      "a",
      "in.jsonl:2 encoding: not UTF-8: byte 12 of the line is 0xE9. Convert the file, for example with iconv -f WINDOWS-1252 -t UTF-8",
      "c"
    ])
  })

  it("[case 32] NaN isn't JSON: the line is set aside", async () => {
    write("in.jsonl", `{"id":"a","score":NaN}\n${line("b")}\n`)
    expect(await verdicts(jsonl("in.jsonl", options))).toEqual(["in.jsonl:1 unreadable: not JSON at column 19: Unexpected token 'N'", "b"])
  })

  it("[case 29] a row with U+2028 and U+2029 stays one row", async () => {
    write("in.jsonl", `${line("a", "one\u2028two\u2029three")}\n${line("b")}\n`)
    expect((await items(jsonl("in.jsonl", options))).map(({ item }) => item)).toEqual([
      { id: "a", text: "one\u2028two\u2029three" },
      { id: "b", text: "" }
    ])
  })

  it("[case 33] a BOM is dropped, and doesn't reach the body", async () => {
    write("in.jsonl", `\ufeff${line("a")}\n`)
    expect(await items(jsonl("in.jsonl", options))).toEqual([expect.objectContaining({ key: "a", body: line("a") })])
  })

  it("takes Windows endings, blank lines and a missing last newline; lines are numbered as an editor numbers them", async () => {
    write("in.jsonl", `${line("a")}\r\n\r\n  \t\r\n${line("b")}`)
    expect((await items(jsonl("in.jsonl", options))).map(({ key, place }) => [key, place.line])).toEqual([
      ["a", 1],
      ["b", 4]
    ])
  })

  it("[case 19] an empty file, and one of blank lines, is zero rows", async () => {
    write("a.jsonl", "")
    write("b.jsonl", "\n\r\n\n")
    write("c.jsonl", "\ufeff")
    expect(await rows(jsonl("*.jsonl", options))).toEqual([])
  })

  it("takes a line of 300 kB, cut over several reads", async () => {
    write("in.jsonl", `${line("a", "é".repeat(150_000))}\n${line("b")}\n`)
    const [a, b] = await items(jsonl("in.jsonl", options))
    expect(a).toMatchObject({ item: { id: "a", text: "é".repeat(150_000) }, reference: null, bytes: 300_000 + line("a").length })
    expect(b?.key).toBe("b")
  })

  it("[PAR-5] refers to a line over 1 MB by path, offset, length and digest", async () => {
    const large = line("large", "ü".repeat(600_000))
    write("in.jsonl", `\ufeff${line("a")}\r\n${large}\r\n${line("b")}\n`)
    const [a, row, b] = await items(jsonl("in.jsonl", options))
    expect([a?.reference, b?.reference]).toEqual([null, null])
    const offset = 3 + line("a").length + 2
    expect(row?.reference).toEqual({
      path: `${process.cwd()}/in.jsonl`,
      offset,
      length: Buffer.byteLength(large),
      sha256: digestOf(Buffer.from(large))
    })
    expect(
      fs
        .readFileSync("in.jsonl")
        .subarray(offset, offset + Buffer.byteLength(large))
        .toString()
    ).toBe(large)
  })

  it("[PAR-1] sets aside a line over 64 MB and reads on", async () => {
    const file = fs.openSync("in.jsonl", "w")
    for (let megabyte = 0; megabyte < 65; megabyte++) fs.writeSync(file, Buffer.alloc(1024 * 1024, "["))
    fs.writeSync(file, `\n${line("b")}\n`)
    fs.closeSync(file)
    expect(await verdicts(jsonl("in.jsonl", options))).toEqual([
      "in.jsonl:1 unreadable: the line is longer than 64 MB: is it JSON Lines, with one row a line?",
      "b"
    ])
  })

  it.each([
    ["gzip", gzipSync(line("a")), 'in.jsonl: compressed with gzip, not text. Unpack it: gunzip -k "in.jsonl"'],
    [
      "UTF-16",
      Buffer.from(`\ufeff${line("a")}`, "utf16le"),
      'in.jsonl: UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 "in.jsonl"'
    ],
    ["Parquet", Buffer.from("PAR1...."), "in.jsonl: a Parquet file. Read it with parquet(…)"]
  ])("stops at a file that is %s by mistake, saying what to type", async (_, content, message) => {
    write("in.jsonl", content)
    expect((await failure(jsonl("in.jsonl", options))).message).toBe(message)
  })
})
