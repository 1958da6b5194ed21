import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"

import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"

import { jsonl, parquet, sql, stream, type Source } from "../../../dsl/index.ts"
import { readSource } from "../../../runtime/source/read-source.ts"
import { failure, items, options, portions, rows, run, sourceOf, useFolder, verdicts, write } from "./source-support.ts"

const lines = (count: number) => Array.from({ length: count }, (_, index) => `{"id":"${index}","text":""}\n`).join("")

/** The files below the working directory that this process has open. */
const openHere = () =>
  fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const file = fs.readlinkSync(`/proc/self/fd/${fd}`)
      return file.startsWith(process.cwd()) ? [file] : []
    } catch {
      return []
    }
  })

describe("reading a source", () => {
  useFolder()

  it("a location may be a function of the run, and a list", async () => {
    write("in/2026-03-01/a.jsonl", '{"id":"a","text":""}\n')
    write("in/late.jsonl", '{"id":"late","text":""}\n')
    const source = jsonl(({ date }) => [`in/${date}/*.jsonl`, "in/late.jsonl"], options)
    expect((await items(source)).map(({ key }) => key)).toEqual(["a", "late"])
  })

  it("a location that throws, or gives no path, query or stream, says what to mend", async () => {
    const thrower = jsonl(() => {
      throw new TypeError("no such date")
    }, options)
    expect((await failure(thrower)).message).toBe(
      "The first argument of jsonl(…) gives nothing to read: for 2026-03-01 its function threw TypeError: no such date. " +
        "Mend it in the job; `runtime plan` tries it without spending anything."
    )
    const wrong: ReadonlyArray<readonly [Source<unknown, unknown>, string]> = [
      [jsonl("", options), "jsonl(…) gives nothing to read: it must be a path, a glob or a list of them, and is an empty string."],
      [parquet([], options), "parquet(…) gives nothing to read: it must be a path, a glob or a list of them, and is []."],
      [sql(() => undefined as unknown as string, options), "sql(…) gives nothing to read: it must be a query, and is undefined."],
      [stream(() => [] as never, options), "stream(…) gives nothing to read: it must be an Effect Stream, and is []."]
    ]
    for (const [source, sentence] of wrong) expect((await failure(source)).message).toContain(sentence)
  })

  it("[PAR-1] a key that throws, isn't text, is empty, too long or half a character rejects its row, saying so", async () => {
    write("in.jsonl", lines(6))
    const keys: ReadonlyArray<() => unknown> = [
      () => {
        throw new TypeError("no key")
      },
      () => undefined,
      () => "",
      () => "x".repeat(4097),
      () => "\ud800",
      () => "x".repeat(4096)
    ]
    const source = jsonl("in.jsonl", { ...options, key: ({ id }) => keys[Number(id)]?.() as string })
    expect(await verdicts(source)).toEqual([
      "in.jsonl:1 key: key threw TypeError: no key",
      "in.jsonl:2 key: key must return a string, and returned undefined",
      "in.jsonl:3 key: key returned an empty string",
      "in.jsonl:4 key: key returned 4097 characters; at most 4096 are allowed",
      "in.jsonl:5 key: key returned text that is no valid Unicode",
      "x".repeat(4096)
    ])
  })

  it("[PAR-1] every row of every file is an item or a rejected row, in order", async () => {
    for (let file = 0; file < 5; file++) write(`in/${file}.jsonl`, `${lines(1200)}broken\n`)
    const found = await rows(jsonl("in/*.jsonl", options))
    const expected = Array.from({ length: 5 }, (_, file) =>
      Array.from({ length: 1201 }, (_, line) => `in/${file}.jsonl:${line + 1}`)
    ).flat()
    expect(found.map(({ place }) => `${place.file}:${place.line}`)).toEqual(expected)
    expect(found.filter(({ kind }) => kind === "rejected")).toHaveLength(5)
  })

  it("[PAR-4] hands on at most 1,000 rows or 4 MB at once", async () => {
    write("small.jsonl", lines(2500))
    expect((await portions(jsonl("small.jsonl", options))).map((portion) => portion.length)).toEqual([1000, 1000, 500])
    write("large.jsonl", `{"id":"a","text":"${"x".repeat(1_500_000)}"}\n`.repeat(7))
    expect((await portions(jsonl("large.jsonl", options))).map((portion) => portion.length)).toEqual([3, 3, 1])
  })

  it.skipIf(!fs.existsSync("/proc/self/fd"))("closes its file when the reader stops early, and when it is interrupted", async () => {
    write("in.jsonl", lines(100_000))
    const source = sourceOf(jsonl("in.jsonl", options))
    await Effect.runPromise(Stream.runDrain(Stream.take(readSource(source, run), 1)))
    expect(openHere()).toEqual([])
    const during = await Effect.runPromise(
      Effect.gen(function* () {
        const reading = yield* Deferred.make<ReadonlyArray<string>>()
        const hold = () =>
          Effect.andThen(
            Effect.suspend(() => Deferred.succeed(reading, openHere())),
            Effect.never
          )
        const fiber = yield* Effect.forkChild(Stream.runForEach(readSource(source, run), hold))
        const open = yield* Deferred.await(reading)
        yield* Fiber.interrupt(fiber)
        return open
      })
    )
    expect(during).toEqual([`${process.cwd()}/in.jsonl`])
    expect(openHere()).toEqual([])
  })

  it("[case 41] [PAR-4] reads a million rows in a heap that could not hold a quarter of them", () => {
    const file = fs.openSync("in.jsonl", "w")
    const text = "x".repeat(300)
    for (let thousand = 0; thousand < 1000; thousand++) {
      fs.writeSync(file, Array.from({ length: 1000 }, (_, index) => `{"id":"${thousand * 1000 + index}","text":"${text}"}\n`).join(""))
    }
    fs.closeSync(file)
    const script = fileURLToPath(new URL("count-rows.ts", import.meta.url))
    const { stdout, stderr } = spawnSync(process.execPath, ["--max-old-space-size=128", script, "in.jsonl"], { encoding: "utf8" })
    expect(stdout, stderr).toBe("1000000\n")
  })
})
