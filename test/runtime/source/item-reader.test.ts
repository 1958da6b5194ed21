import * as fs from "node:fs"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"

import { csv, files, jsonl, sql, stream, type Source } from "../../../dsl/index.ts"
import { makeItemReader } from "../../../runtime/source/item-reader.ts"
import type { BodyReference } from "../../../runtime/source/source-item.ts"
import { items, options, sourceOf, useFolder, write } from "./source-support.ts"

const Text = Schema.Struct({ path: Schema.String, text: Schema.String })
const large = "é".repeat(600_000)

const again = (source: Source<unknown, unknown>, reference: BodyReference | null | undefined) => {
  if (!reference) throw new Error("nothing to refer to")
  return makeItemReader(sourceOf(source)).fromReference(reference)
}

describe("reading items again", () => {
  useFolder()

  it("[PAR-5] a body gives the item that the source gave, whatever the format", async () => {
    write("in.jsonl", '{"id":"a","text":"x","more":1}\n')
    write("in.csv", "id,text\na,x\n")
    write("in.txt", "x")
    const Rich = Schema.Struct({ id: Schema.String, at: Schema.Date })
    const sources: ReadonlyArray<Source<unknown, unknown>> = [
      jsonl("in.jsonl", options),
      csv("in.csv", options),
      sql("select 'a' as id, 'x' as text", options),
      stream(() => Stream.make({ id: "a", at: new Date(5) }), { schema: Rich, key: ({ id }) => id }),
      files("in.txt", { schema: Text, parse: (file) => ({ path: file.path, text: file.text() }) })
    ]
    for (const source of sources) {
      const [row] = await items(source)
      expect(makeItemReader(sourceOf(source)).fromBody(row?.body ?? "")).toEqual(row?.item)
    }
  })

  it("a body that another schema wrote throws, naming the field", () => {
    const reader = makeItemReader(sourceOf(jsonl("in.jsonl", options)))
    expect(() => reader.fromBody('{"id":1,"text":""}')).toThrow(/no longer fits its source's schema: Expected string at \["id"\]/)
  })

  it("[PAR-5] reads a large line again from its place, also when lines were added below", async () => {
    write("in.jsonl", `{"id":"a","text":""}\n{"id":"b","text":"${large}"}\n`)
    const source = jsonl("in.jsonl", options)
    const [, b] = await items(source)
    fs.appendFileSync("in.jsonl", '{"id":"c","text":""}\n')
    expect(await Effect.runPromise(again(source, b?.reference))).toEqual(b?.item)
  })

  it("[PAR-5] refuses a referenced file that changed, shrank or is gone, saying what it was and what to do", async () => {
    write("in.jsonl", `{"id":"b","text":"${large}"}\n`)
    const source = jsonl("in.jsonl", options)
    const [b] = await items(source)
    const refusal = () => Effect.runPromise(Effect.flip(again(source, b?.reference)))

    write("in.jsonl", `{"id":"b","text":"è${large.slice(1)}"}\n`)
    const changed = await refusal()
    expect(changed._tag).toBe("InputChanged")
    expect(changed.message).toMatch(
      /in\.jsonl has changed since the run's manifest was made: bytes 0 to 1200020 were sha256 [0-9a-f]{12}…, now [0-9a-f]{12}…/
    )
    expect(changed.message).toMatch(/Restore the file and `runtime resume`, or start over from the new input with `runtime run`\.$/)

    fs.truncateSync("in.jsonl", 100)
    expect((await refusal()).message).toContain("has become shorter")
    fs.unlinkSync("in.jsonl")
    expect((await refusal()).message).toMatch(/in\.jsonl is gone since .* were sha256 [0-9a-f]{12}…\. /)
  })

  it("[PAR-5] parses a large file again, told the same path as before, from any working directory", async () => {
    write("mail/2024/a.txt", large)
    const source = files("mail/**/*.txt", { schema: Text, parse: (file) => Effect.succeed({ path: file.path, text: file.text() }) })
    const [row] = await items(source)
    expect(row?.item).toEqual({ path: "2024/a.txt", text: large })
    const stored: BodyReference = JSON.parse(JSON.stringify(row?.reference))
    const folder = process.cwd()
    process.chdir("/")
    const read = await Effect.runPromise(again(source, stored))
    process.chdir(folder)
    expect(read).toEqual(row?.item)
  })

  it("[PAR-5] a large file that grew has changed", async () => {
    write("a.txt", large)
    const source = files("*.txt", { schema: Text, parse: (file) => ({ path: file.path, text: file.text() }) })
    const [row] = await items(source)
    fs.appendFileSync("a.txt", "more")
    expect((await Effect.runPromise(Effect.flip(again(source, row?.reference)))).message).toContain(
      "a.txt has 1200004 bytes instead of 1200000 since"
    )
  })

  it("a parser that fails the second time is told apart from a changed file", async () => {
    write("a.txt", large)
    let calls = 0
    const source = files("*.txt", {
      schema: Text,
      parse: (file) => {
        if (++calls > 1) throw new Error("only once")
        return { path: file.path, text: file.text() }
      }
    })
    const [row] = await items(source)
    const error = await Effect.runPromise(Effect.flip(again(source, row?.reference)))
    expect(error.message).toMatch(
      /a\.txt is what it was when the run's manifest was made, but parse now fails on it: parse failed: only once\./
    )
  })
})
