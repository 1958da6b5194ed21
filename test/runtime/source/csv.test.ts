import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"

import { csv } from "../../../dsl/index.ts"
import { readSource } from "../../../runtime/source/read-source.ts"
import { failure, items, options, portions, rows, run, sourceOf, useFolder, verdicts, write } from "./source-support.ts"
import { seeded } from "../../support/luck.ts"

const Loose = Schema.Struct({ id: Schema.String, text: Schema.NullOr(Schema.String) })
const loose = { schema: Loose, key: ({ id }: typeof Loose.Type) => id }

describe("CSV", () => {
  useFolder()

  it("[PAR-4] reads RFC 4180: quotes, doubled quotes, commas, line ends and U+2028 in cells; lines are the row's first", async () => {
    write("in.csv", 'id,text\r\na,"one, ""two""\r\nthree"\r\n\r\nb,plain\u2028\r\nc,"é"')
    expect((await items(csv("in.csv", options))).map(({ item, place }) => [item, place.line])).toEqual([
      [{ id: "a", text: 'one, "two"\r\nthree' }, 2],
      [{ id: "b", text: "plain\u2028" }, 5],
      [{ id: "c", text: "é" }, 6]
    ])
  })

  it("keeps all columns in the body, as JSON that decodes to the same item", async () => {
    write("in.csv", "id,text,more\na,b,\n")
    const [row] = await items(csv("in.csv", options))
    expect(row).toMatchObject({ body: '{"id":"a","text":"b","more":null}', bytes: 33, item: { id: "a", text: "b" } })
  })

  it("[case 33] drops a BOM: the first column is `id`, also in quotes", async () => {
    write("a.csv", "\ufeffid,text\n1,x\n")
    write("b.csv", '\ufeff"id","text"\n2,y\n')
    expect((await items(csv("*.csv", options))).map(({ item }) => item)).toEqual([
      { id: "1", text: "x" },
      { id: "2", text: "y" }
    ])
  })

  it("[case 32] an empty cell and NaN are null, and NaN is warned of once a file", async () => {
    write("in.csv", 'id,text\na,\nb,NaN\nc,""\nd,NaN\n')
    const said: Array<unknown> = []
    const logger = Logger.layer([Logger.make(({ message }) => said.push(message))])
    const read = Stream.runCollect(readSource(sourceOf(csv("in.csv", loose)), run)).pipe(Effect.provide(logger))
    const found = (await Effect.runPromise(read)).flat()
    expect(found.map((row) => row.kind === "item" && row.item)).toEqual(["a", "b", "c", "d"].map((id) => ({ id, text: null })))
    expect(said.flat()).toEqual(['in.csv:3: the cell NaN in column "text" was read as null; so were 1 more in this file'])
  })

  it("[case 32] a schema that wants a number rejects null and takes digits", async () => {
    write("in.csv", "id,score\na,1.5\nb,NaN\n")
    const source = csv("in.csv", { schema: Schema.Struct({ id: Schema.String, score: Schema.FiniteFromString }), key: ({ id }) => id })
    expect(await verdicts(source)).toEqual(["a", 'in.csv:3 schema: Expected string at ["score"]'])
  })

  it("[case 19] a file with only a header, and an empty one, has no rows", async () => {
    write("a.csv", "id,text\n")
    write("b.csv", "id,text")
    write("c.csv", "")
    write("d.csv", "\ufeff\n\n")
    expect(await rows(csv("*.csv", options))).toEqual([])
  })

  it("[PAR-1] sets aside a row with too many or too few cells, and reads on", async () => {
    write("in.csv", 'id,text\na,"x\ny"\nb\nc,1,2\nd,x\n')
    expect(await verdicts(csv("in.csv", options))).toEqual([
      "a",
      "in.csv:4 unreadable: the row has 1 cells, the header 2",
      "in.csv:5 unreadable: the row has 3 cells, the header 2",
      "d"
    ])
  })

  it("[PAR-1] sets aside a row with a stray quote, and reads on at the next line", async () => {
    write("in.csv", 'id,text\na,"x"y\nb,5" pipe\nc,ok\nd,"open\n')
    const found = await verdicts(csv("in.csv", options))
    const reason = 'unreadable: a quote stands inside a cell or isn\'t closed: write "" for each quote and put the cell in quotes'
    expect(found.slice(0, 3)).toEqual([`in.csv:2 ${reason}`, `in.csv:3 ${reason}`, "c"])
  })

  it("[PAR-1] a last line cut off inside quotes spoils that row alone", async () => {
    write("in.csv", 'id,text\na,ok\nb,"cut o')
    expect(await verdicts(csv("in.csv", options))).toEqual(["a", expect.stringMatching(/^in\.csv:3 unreadable: a quote/)])
  })

  it("[PAR-1] a quote that swallows the lines behind it stops the source at its line, instead of losing them", async () => {
    write("in.csv", 'id,text\na,ok\n\nb,"open\nc,x\nd,y\n')
    expect((await failure(csv("in.csv", options))).message).toMatch(
      /^in\.csv:4: a quote is opened in the row that starts here and never closed/
    )
  })

  it("[PAR-1] a row that isn't UTF-8 is set aside, naming the byte", async () => {
    write("in.csv", Buffer.concat([Buffer.from("id,text\na,\ufffd\nb,caf"), Buffer.from([0xe9]), Buffer.from("\nc,x\n")]))
    expect(await verdicts(csv("in.csv", options))).toEqual([
      "a",
      expect.stringMatching(/^in\.csv:3 encoding: not UTF-8: byte 6 of the row is 0xE9\./),
      "c"
    ])
  })

  it.each([
    ["id,id\n1,2\n", 'in.csv:1: the header names "id" twice'],
    ["\n\nid,,text\n1,2,3\n", "in.csv:3: column 2 of 3 has no name"],
    ["id,text\ra,b\rc,d\r", "in.csv:1: lines end in CR alone"],
    [Buffer.from([0x69, 0xe9, 0x0a]), "in.csv:1: the header can't be read: not UTF-8: byte 2 of the row is 0xE9"]
  ])("refuses the header of %j, with file and line", async (content, start) => {
    write("in.csv", content)
    expect((await failure(csv("in.csv", options))).message.startsWith(start)).toBe(true)
  })

  it("gives what was written, wherever the reads cut the file, 30 seeds", async () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = seeded(seed)
      const ending = random() < 0.5 ? "\n" : "\r\n"
      const pieces = ["a", ",", '"', "\n", "\r\n", "é", "\u2028", " ", "x".repeat(3000)]
      const cells = Array.from({ length: 400 }, () =>
        Array.from({ length: Math.floor(random() * 6) }, () => pieces[Math.floor(random() * pieces.length)]).join("")
      )
      const quoted = (cell: string) => (random() < 0.5 || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
      const body = cells.map((cell, index) => `${index},${quoted(cell)}${ending}${random() < 0.1 ? ending : ""}`)
      write("in.csv", `id,text${ending}${body.join("")}`)
      const found = await items(csv("in.csv", loose))
      expect(
        found.map(({ item }) => item),
        `seed ${seed}`
      ).toEqual(cells.map((cell, index) => ({ id: `${index}`, text: cell === "" ? null : cell })))
      let next = 2
      const lines = body.map((row) => {
        const line = next
        next += row.split("\n").length - 1
        return line
      })
      expect(
        found.map(({ place }) => place.line),
        `seed ${seed}`
      ).toEqual(lines)
    }
  })

  it("hands on at most 1,000 rows at once", async () => {
    write("in.csv", `id,text\n${Array.from({ length: 2500 }, (_, index) => `${index},x\n`).join("")}`)
    const sizes = (await portions(csv("in.csv", options))).map((portion) => portion.length)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2500)
    expect(Math.max(...sizes)).toBe(1000)
  })
})
