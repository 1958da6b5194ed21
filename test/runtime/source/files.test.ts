import * as fs from "node:fs"

import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"

import { files } from "../../../dsl/index.ts"
import { readSource } from "../../../runtime/source/read-source.ts"
import { digestOf } from "../../../runtime/source/reference.ts"
import { items, rows, run, sourceOf, useFolder, verdicts, write } from "./source-support.ts"

const Text = Schema.Struct({ text: Schema.String })

class Upper extends Context.Service<Upper, { readonly of: (text: string) => Effect.Effect<string> }>()("test/Upper") {}

describe("a folder of files", () => {
  useFolder()

  it("[PAR-4] gives each file as an item; its key is the path relative to the glob's fixed part", async () => {
    write("mail/2024/b.txt", "two")
    write("mail/2024/a.txt", "one")
    write("mail/.draft.txt", "no")
    const source = files("mail/**/*.txt", { schema: Text, parse: (file) => ({ text: `${file.path}: ${file.text()}` }) })
    expect(await items(source)).toEqual([
      {
        kind: "item",
        key: "2024/a.txt",
        item: { text: "2024/a.txt: one" },
        body: '{"text":"2024/a.txt: one"}',
        bytes: 26,
        reference: null,
        place: { file: "mail/2024/a.txt", line: null }
      },
      expect.objectContaining({ key: "2024/b.txt" })
    ])
  })

  it("parse may return a Promise or an Effect, and an Effect gets its services", async () => {
    write("a.txt", "one")
    const promised = files("*.txt", { schema: Text, parse: (file) => Promise.resolve({ text: file.text() }) })
    expect((await items(promised)).map(({ item }) => item)).toEqual([{ text: "one" }])
    const effectful = files("*.txt", {
      schema: Text,
      parse: (file) => Effect.flatMap(Upper, (upper) => Effect.map(upper.of(file.text()), (text) => ({ text })))
    })
    const read = Stream.runCollect(readSource<Upper>(sourceOf(effectful), run))
    const upper = Upper.of({ of: (text) => Effect.succeed(text.toUpperCase()) })
    const found = await Effect.runPromise(Effect.provideService(read, Upper, upper))
    expect(found.flat()).toEqual([expect.objectContaining({ item: { text: "ONE" } })])
  })

  it("keeps the order of the files when the first ones take longest, with no more than eight in hand", async () => {
    for (let file = 10; file < 40; file++) write(`${file}.txt`, `${file}`)
    let inHand = 0
    let most = 0
    const source = files("*.txt", {
      schema: Text,
      parse: (file) =>
        Effect.gen(function* () {
          most = Math.max(most, ++inHand)
          for (let turn = 0; turn < 50 - Number(file.text()); turn++) yield* Effect.yieldNow
          inHand--
          return { text: file.text() }
        })
    })
    expect((await items(source)).map(({ key }) => key)).toEqual(Array.from({ length: 30 }, (_, index) => `${index + 10}.txt`))
    expect(most).toBe(8)
  })

  it("[PAR-1] a parse that throws, rejects, fails or dies rejects its file with the reason; the others are items", async () => {
    for (const name of ["died", "failed", "fine", "rejected", "threw"]) write(`${name}.txt`, "")
    const source = files("*.txt", {
      schema: Text,
      parse: (file) => {
        if (file.path === "threw.txt") throw new TypeError("threw\nwith a second line")
        if (file.path === "rejected.txt") return Promise.reject(new Error("rejected"))
        if (file.path === "failed.txt") return Effect.fail("failed")
        if (file.path === "died.txt") return Effect.die(new Error("died"))
        return { text: "" }
      }
    })
    expect(await verdicts(source)).toEqual([
      "died.txt:null parse: parse failed: died",
      "failed.txt:null parse: parse failed: failed",
      "fine.txt",
      "rejected.txt:null parse: parse failed: rejected",
      "threw.txt:null parse: parse failed: TypeError: threw"
    ])
  })

  it("[PAR-1] an item that doesn't fit the schema rejects its file", async () => {
    write("a.txt", "")
    const source = files("*.txt", { schema: Text, parse: () => ({ text: 3 }) as unknown as typeof Text.Type })
    expect(await verdicts(source)).toEqual(['a.txt:null schema: parse returned an item that doesn\'t fit: Expected string at ["text"]'])
  })

  it("[PAR-1] text() of what isn't UTF-8 rejects the file, naming the byte, also when the parser wraps the error; bytes are given as they are", async () => {
    write("a.txt", Buffer.from([0x61, 0xe9, 0x62]))
    const text = files("*.txt", { schema: Text, parse: (file) => ({ text: file.text() }) })
    const wrapped = files("*.txt", {
      schema: Text,
      parse: (file) =>
        Effect.map(
          Effect.try(() => file.text()),
          (text) => ({ text })
        )
    })
    const expected = [expect.stringMatching(/^a\.txt:null encoding: not UTF-8: byte 2 of the file is 0xE9\./)]
    expect(await verdicts(text)).toEqual(expected)
    expect(await verdicts(wrapped)).toEqual(expected)
    const bytes = files("*.txt", { schema: Text, parse: (file) => ({ text: Buffer.from(file.bytes).toString("latin1") }) })
    expect((await items(bytes)).map(({ item }) => item)).toEqual([{ text: "aéb" }])
  })

  it("[case 33] text() drops a BOM", async () => {
    write("a.txt", "\ufeffone")
    expect((await items(files("*.txt", { schema: Text, parse: (file) => ({ text: file.text() }) }))).map(({ item }) => item)).toEqual([
      { text: "one" }
    ])
  })

  it("an empty file is an item like any other", async () => {
    write("a.txt", "")
    expect(await rows(files("*.txt", { schema: Text, parse: (file) => ({ text: file.text() }) }))).toMatchObject([
      { kind: "item", item: { text: "" } }
    ])
  })

  it("[case 41] a mail of 300 kB is copied; [PAR-5] a file over 1 MB is referenced whole", async () => {
    write("in/small.txt", "x".repeat(300_000))
    write("in/x/large.txt", "é".repeat(600_000))
    const [small, large] = await items(files("in/**/*.txt", { schema: Text, parse: (file) => ({ text: file.text() }) }))
    expect(small).toMatchObject({ reference: null, item: { text: "x".repeat(300_000) } })
    const { reference } = large ?? {}
    expect(reference).toMatchObject({ offset: 0, length: 1_200_000, sha256: digestOf(fs.readFileSync("in/x/large.txt")) })
    expect(fs.readFileSync(reference?.path ?? "")).toEqual(fs.readFileSync("in/x/large.txt"))
  })

  it("what callbacks get is what a resume reads from the body", async () => {
    write("a.txt", "")
    const Loose = Schema.Struct({ text: Schema.optional(Schema.String), at: Schema.Date })
    const [row] = await items(files("*.txt", { schema: Loose, parse: () => ({ text: undefined, at: new Date(0) }) }))
    expect(row?.body).toBe('{"text":null,"at":"1970-01-01T00:00:00.000Z"}')
    expect(row?.item).toStrictEqual({ text: undefined, at: new Date(0) })
  })

  it("an interrupted read interrupts the parser", async () => {
    write("a.txt", "")
    const outcome = await Effect.runPromise(
      Effect.gen(function* () {
        const started = yield* Deferred.make<void>()
        const stopped = yield* Deferred.make<string>()
        const source = files("*.txt", {
          schema: Text,
          parse: () =>
            Deferred.succeed(started, undefined).pipe(
              Effect.andThen(Effect.never),
              Effect.onInterrupt(() => Deferred.succeed(stopped, "stopped"))
            )
        })
        const fiber = yield* Effect.forkChild(Stream.runDrain(readSource(sourceOf(source), run)))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(fiber)
        return yield* Deferred.await(stopped)
      })
    )
    expect(outcome).toBe("stopped")
  })
})
