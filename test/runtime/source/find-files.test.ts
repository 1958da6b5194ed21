import { once } from "node:events"
import * as fs from "node:fs"
import { createServer } from "node:net"

import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"

import { findFiles } from "../../../runtime/source/find-files.ts"
import { useFolder, write } from "./source-support.ts"

const find = (...patterns: ReadonlyArray<string>) => Effect.runPromise(findFiles("jsonl", patterns))
const shown = async (...patterns: ReadonlyArray<string>) => (await find(...patterns)).map((file) => file.shown)
const refuse = (...patterns: ReadonlyArray<string>) => Effect.runPromise(Effect.flip(findFiles("jsonl", patterns)))

describe("finding files", () => {
  useFolder()

  it("sorts by path whatever the disk's order, leaves dotfiles out, and takes patterns in their order", async () => {
    for (const file of ["b/2.txt", "b/10.txt", "a/z.txt", "a/.hidden.txt", "a/Ü.txt", "c.txt"]) write(file, "")
    expect(await shown("**/*.txt")).toEqual(["a/z.txt", "a/Ü.txt", "b/10.txt", "b/2.txt", "c.txt"])
    expect(await shown("c.txt", "a/*.txt", "*.txt")).toEqual(["c.txt", "a/z.txt", "a/Ü.txt"])
  })

  it("takes files away by a pattern that starts with !", async () => {
    for (const file of ["a.txt", "b.txt", "old/c.txt"]) write(file, "")
    expect(await shown("**/*.txt", "!old/**")).toEqual(["a.txt", "b.txt"])
    expect(await shown(`${process.cwd()}/**/*.txt`, "!old/**")).toEqual([`${process.cwd()}/a.txt`, `${process.cwd()}/b.txt`])
  })

  it("names a file relative to the glob's fixed part; of several globs, to the folder they share", async () => {
    for (const file of ["mail/2024/a.eml", "mail/2025/a.eml"]) write(file, "")
    const relative = async (...patterns: ReadonlyArray<string>) => (await find(...patterns)).map((file) => file.relative)
    expect(await relative("mail/**/*.eml")).toEqual(["2024/a.eml", "2025/a.eml"])
    expect(await relative(`${process.cwd()}/mail/*/a.eml`)).toEqual(["2024/a.eml", "2025/a.eml"])
    expect(await relative("mail/2024/a.eml")).toEqual(["a.eml"])
    expect(await relative("mail/2024/*.eml", "mail/2025/*.eml")).toEqual(["2024/a.eml", "2025/a.eml"])
  })

  it("takes a path as it is written before it takes it as a glob", async () => {
    write("mails [2024].jsonl", "")
    write("mails 2.jsonl", "")
    expect(await shown("mails [2024].jsonl")).toEqual(["mails [2024].jsonl"])
    expect(await shown("mails [2].jsonl")).toEqual(["mails 2.jsonl"])
  })

  it("reads a file once when links lead to it again, also in a loop", async () => {
    write("a/b/1.txt", "")
    write("a/2.txt", "")
    fs.symlinkSync("..", "a/b/loop")
    fs.symlinkSync("b", "a/alias")
    expect(await shown("a/**/*.txt")).toEqual(["a/2.txt", "a/b/1.txt"])
    fs.symlinkSync("../elsewhere.txt", "a/linked.txt")
    write("elsewhere.txt", "")
    expect(await shown("a/**/*.txt")).toEqual(["a/2.txt", "a/b/1.txt", "a/linked.txt"])
  })

  it("[PAR-1] lists a link that leads nowhere, so that opening it fails and names it", async () => {
    write("a/1.txt", "")
    fs.symlinkSync("nowhere", "a/2.txt")
    expect(await shown("a/*.txt")).toEqual(["a/1.txt", "a/2.txt"])
  })

  it.skipIf(process.getuid?.() === 0)("[PAR-1] stops at a folder that it may not open", async () => {
    write("a/1.txt", "")
    write("a/closed/2.txt", "")
    fs.chmodSync("a/closed", 0)
    const error = await refuse("a/**/*.txt")
    fs.chmodSync("a/closed", 0o700)
    expect(error).toMatchObject({ reason: "denied", detail: "EACCES" })
  })

  it("a missing file, a glob without a match and a directory each say what to do", async () => {
    fs.mkdirSync("inbox")
    const here = process.cwd()
    expect((await refuse("inbox/a.jsonl")).message).toBe(
      `inbox/a.jsonl does not exist (looked from ${here}). Put the file there or correct the path in the job, then \`runtime run\` again.`
    )
    expect((await refuse("inbox/*.jsonl")).message).toContain(
      `No file matches inbox/*.jsonl (looked from ${here}; names that start with a dot`
    )
    expect((await refuse("inbox/")).message).toBe(
      'inbox/ is a directory, and jsonl(…) reads files. Write a glob, such as "inbox/**/*.jsonl".'
    )
  })

  it("refuses what is no regular file, such as a pipe, instead of waiting for its writer", async () => {
    const server = createServer().listen("socket.jsonl")
    await once(server, "listening")
    expect((await refuse("socket.jsonl")).message).toBe("socket.jsonl: not a regular file. Write its content to one, and read that")
    server.close()
  })

  it("[PAR-1] every pattern must match: half of an input that isn't there stops the run", async () => {
    write("a/1.jsonl", "")
    expect(await refuse("a/*.jsonl", "b/*.jsonl")).toMatchObject({ reason: "no-match", path: "b/*.jsonl" })
  })
})
