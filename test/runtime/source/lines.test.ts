import { describe, expect, it } from "vitest"

import { makeLineSplitter } from "../../../runtime/source/lines.ts"
import { seeded } from "../../support/luck.ts"

const split = (blocks: ReadonlyArray<Buffer>, lineBytesMax = 1_000_000) => {
  const splitter = makeLineSplitter({ lineBytesMax })
  return [...blocks.flatMap((block) => splitter.push(block)), ...splitter.end()].map(({ number, offset, bytes, isTooLong }) => ({
    number,
    offset,
    text: bytes.toString("latin1"),
    isTooLong
  }))
}

const texts = (text: string) => split([Buffer.from(text)]).map((line) => Buffer.from(line.text, "latin1").toString("utf8"))

/** Few kinds of bytes, so that endings, BOMs and long lines meet at the cuts. */
const fileOf = (random: () => number): Buffer => {
  const parts = ["\n", "\r\n", "\r", "\ufeff", "\u2028", "ä", "a", "long enough to matter", ""]
  const length = Math.floor(random() * 40)
  return Buffer.from(Array.from({ length }, () => parts[Math.floor(random() * parts.length)]).join(""))
}

const cut = (file: Buffer, random: () => number): ReadonlyArray<Buffer> => {
  const blocks: Array<Buffer> = []
  for (let at = 0; at < file.length;) {
    const length = 1 + Math.floor(random() * 6)
    blocks.push(file.subarray(at, at + length))
    at += length
  }
  return blocks
}

describe("the line splitter", () => {
  it("gives the same lines wherever the blocks are cut, 2,000 seeds", () => {
    for (let seed = 0; seed < 2000; seed++) {
      const random = seeded(seed)
      const file = fileOf(random)
      expect(split(cut(file, random)), `seed ${seed}`).toEqual(split([file]))
      expect(split(cut(file, random), 12), `seed ${seed}, bounded`).toEqual(split([file], 12))
    }
  })

  it("gives each line's bytes at the offset it names, and all bytes but endings and a BOM, 500 seeds", () => {
    for (let seed = 0; seed < 500; seed++) {
      const file = fileOf(seeded(seed))
      const lines = split([file])
      for (const { offset, text } of lines) expect(file.subarray(offset, offset + text.length).toString("latin1")).toBe(text)
      const rejoined = lines.map(({ text }) => text).join("\n")
      const expected = file
        .toString("utf8")
        .replace(/^\ufeff/, "")
        .replace(/\n$/, "")
        .replaceAll(/\r(?=\n)|\r$/g, "")
      expect(Buffer.from(rejoined, "latin1").toString("utf8"), `seed ${seed}`).toBe(expected)
    }
  })

  it("[case 29] cuts at \\n only: U+2028, U+2029, U+0085 and a lone \\r stay in their line", () => {
    expect(texts("a\u2028b\u2029c\u0085d\re\nf")).toEqual(["a\u2028b\u2029c\u0085d\re", "f"])
  })

  it("drops a BOM on the first line only, and the \\r of a Windows ending", () => {
    expect(texts("\ufeffa\r\n\ufeffb\r\n")).toEqual(["a", "\ufeffb"])
  })

  it("gives a last line without an ending, and no empty one after an ending", () => {
    expect(texts("a\nb")).toEqual(["a", "b"])
    expect(texts("a\nb\n")).toEqual(["a", "b"])
    expect(texts("")).toEqual([])
  })

  it("counts a line over the bound without holding it, and knows the next line's number and offset", () => {
    const long = Buffer.alloc(5000, "x")
    const [first, second] = split([long, long, Buffer.from("\nb\n")], 6000)
    expect(first).toMatchObject({ number: 1, isTooLong: true })
    expect(first?.text).toHaveLength(1024)
    expect(second).toEqual({ number: 2, offset: 10_001, text: "b", isTooLong: false })
  })
})
