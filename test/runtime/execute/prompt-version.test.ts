import { describe, expect, it } from "vitest"

import { each, given, system, user } from "../../../dsl/index.ts"
import { PromptVersions, requestDigest } from "../../../runtime/execute/prompt-version.ts"

const prompt = (text: string, cc: string | null, files: ReadonlyArray<string>) => [
  system`Sort it.`,
  user`${text}${given(cc)` (copied to ${(to) => to})`}${each(files)`- ${(file) => file}`}`
]

describe("prompt versions", () => {
  it("[GOV-1] depend on literals and on the callback, never on data", () => {
    const versions = new PromptVersions()
    const one = versions.of(prompt("a", null, []), "source")
    expect(versions.of(prompt("b", "ann", ["x", "y"]), "source")).toBe(one)
    expect(versions.of(prompt("a", null, []), "other source").version).not.toBe(one.version)
    expect(versions.of([system`Sort it!`, user`${"a"}`], "source").version).not.toBe(one.version)
    expect(one.shape).not.toContain("ann")
  })

  it("[GOV-1] are the same in another process, where literals are other objects", () => {
    const one = new PromptVersions().of(prompt("a", null, []), "source")
    const again = (text: string) => [
      system`Sort it.`,
      user`${text}${given(null as string | null)` (copied to ${(to) => to})`}${each([] as Array<string>)`- ${(file) => file}`}`
    ]
    expect(new PromptVersions().of(again("z"), "source")).toEqual(one)
  })
})

describe("request digests", () => {
  const message = (text: string) => ({ role: "user" as const, text, data: [] })
  it("differ when the text, its division into messages or the parameters differ", () => {
    const digests = [
      requestDigest([message("ab")], "p"),
      requestDigest([message("a"), message("b")], "p"),
      requestDigest([message("ab")], "q"),
      requestDigest([{ ...message("ab"), role: "system" }], "p")
    ]
    expect(new Set(digests).size).toBe(4)
    expect(requestDigest([message("ab")], "p")).toBe(digests[0])
  })
})
