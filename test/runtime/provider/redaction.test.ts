import { spawnSync } from "node:child_process"
import * as path from "node:path"

import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { it as effectIt } from "@effect/vitest"
import { describe, expect, it } from "vitest"

import { mask, maskConsole, noteSecret } from "../../../runtime/provider/redaction.ts"

const root = path.resolve(import.meta.dirname, "../../..")
/** Unlike any other test's: what is noted stays noted. */
const secret = "sk-test-7f/Q+9x=w&Zk3"
const base64 = (text: string): string => Buffer.from(text).toString("base64")

describe("masked text", () => {
  it("[SEC-1] [case 60] a secret is hidden from when it is read", () => {
    const text = `401: incorrect key ${secret}, see ${secret}.`
    expect(mask(text), "the control").toBe(text)
    noteSecret(secret)
    expect(mask(text)).toBe("401: incorrect key ***, see ***.")
    expect(mask("nothing to hide")).toBe("nothing to hide")
  })

  it("[SEC-1] [case 60] a secret is hidden URL-encoded, in JSON, and in base64 by itself or inside more", () => {
    noteSecret(secret)
    noteSecret('quo"ted\\secret')
    expect(mask(`https://x/?key=${encodeURIComponent(secret)}&page=2`)).toBe("https://x/?key=***&page=2")
    expect(mask(`?key=${encodeURIComponent(secret).replaceAll("%2F", "%2f").replaceAll("%2B", "%2b").replaceAll("%3D", "%3d")}`)).toBe(
      "?key=***"
    )
    expect(mask(JSON.stringify({ key: 'quo"ted\\secret' }))).toBe('{"key":"***"}')
    expect(mask(`Basic ${base64(secret)}`)).toBe("Basic ***")
    expect(mask(Buffer.from(secret).toString("base64url"))).toBe("***")
    for (const before of ["", "u", "us", "use"]) {
      for (const after of ["", ":", ":p", ":pw"]) {
        const text = base64(before + secret + after)
        const clean = mask(text)
        expect(clean, before + after).toContain("***")
        expect(clean.length, "of the secret's letters none is left but what shares one with a neighbour").toBeLessThan(
          3 + ((before.length + after.length) * 8) / 6 + 6
        )
      }
    }
  })

  it("[SEC-1] words of fewer than eight characters are no secrets", () => {
    noteSecret("report")
    noteSecret("")
    expect(() => noteSecret("half-\uD83D-pair")).not.toThrow()
    expect(mask("a report of the run")).toBe("a report of the run")
  })

  it("[SEC-1] a secret that begins another hides neither's rest", () => {
    noteSecret("tok-abcdefgh")
    noteSecret("tok-abcdefgh-ijklmnop")
    expect(mask("tok-abcdefgh-ijklmnop tok-abcdefgh")).toBe("*** ***")
  })

  effectIt.prop(
    "[SEC-1] whatever a key looks like, no text around it shows it",
    [
      Arbitrary.schema(Schema.String),
      Arbitrary.schema(Schema.String.check(Schema.isPattern(/^[!-~]{12,40}$/))),
      Arbitrary.schema(Schema.String)
    ],
    ([before, key, after]) => {
      noteSecret(key)
      for (const form of [key, base64(key), encodeURIComponent(key), JSON.stringify(key)]) {
        const clean = mask(before + form + after)
        expect(clean).not.toContain(key)
        expect(clean).toContain("***")
      }
    }
  )
})

describe("masked output", () => {
  const script = (body: string): { readonly stdout: string; readonly stderr: string } => {
    const code = `
      import * as Effect from "effect/Effect"
      import { maskConsole, noteSecret } from "./runtime/provider/redaction.ts"
      const secret = ${JSON.stringify(secret)}
      ${body}`
    const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { cwd: root, encoding: "utf8" })
    expect(status, stderr).toBe(0)
    return { stdout, stderr }
  }
  const prints = `
    const print = async () => {
      console.log("log", secret, { key: secret })
      console.error(new Error("refused " + secret).message)
      process.stdout.write(JSON.stringify({ secret }) + "\\n")
      await new Promise((done) => process.stdout.write(Buffer.from("bytes " + secret + "\\n"), done))
      await new Promise((done) => process.stdout.write("text " + secret + "\\n", "utf8", done))
      await new Promise((done) => process.stdout.write(new TextEncoder().encode("array " + secret + "\\n"), "utf8", done))
      await new Promise((done) => process.stdout.write(Buffer.from("hex " + secret + "\\n").toString("hex"), "hex", done))
    }`

  it("[SEC-1] [case 60] a key that job code prints through console, an error, JSON or a buffer is *** while the run runs", () => {
    const during = script(`${prints}
      noteSecret(secret)
      await Effect.runPromise(Effect.scoped(Effect.andThen(maskConsole, Effect.promise(print))))`)
    expect(during.stdout).toBe('log *** { key: \'***\' }\n{"secret":"***"}\nbytes ***\ntext ***\narray ***\nhex ***\n')
    expect(during.stderr).toBe("refused ***\n")
    const without = script(`${prints}
      noteSecret(secret)
      await print()`)
    expect(without.stdout.split(secret), "the control").toHaveLength(8)
  })

  it("[SEC-1] [case 60] bytes that are no secret arrive as they were written, text or not", () => {
    const bytes = `Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))`
    const { stdout } = script(`
      const write = (chunk, ...rest) => new Promise((done) => process.stdout.write(chunk, ...rest, done))
      noteSecret(secret)
      await Effect.runPromise(Effect.scoped(Effect.andThen(maskConsole, Effect.promise(async () => {
        await write("é€😀 ")
        await write(Buffer.from("é€😀 "), "utf8")
        await write("e9", "latin1")
        await write(Buffer.from([0xf0, 0x9f]))
        await write(Buffer.concat([Buffer.from([0x98, 0x80]), Buffer.from(secret)]))
        await write(${bytes}.subarray(0, 128))
      }))))`)
    expect(stdout).toBe(`é€😀 é€😀 e9😀***${Buffer.from(Array.from({ length: 128 }, (_, byte) => byte)).toString("latin1")}`)
  })

  it("[SEC-1] the outputs are their own again when the last run has ended, in whatever order runs end", async () => {
    const before = [process.stdout.write, process.stderr.write]
    const inner = Effect.gen(function* () {
      yield* maskConsole
      return process.stdout.write
    })
    const outer = Effect.gen(function* () {
      yield* maskConsole
      const ours = process.stdout.write
      expect(ours).not.toBe(before[0])
      expect(yield* Effect.scoped(inner)).toBe(ours)
      expect(process.stdout.write, "still masked").toBe(ours)
    })
    await Effect.runPromise(Effect.scoped(outer))
    expect([process.stdout.write, process.stderr.write]).toEqual(before)
  })

  it("[SEC-1] a wrapper that somebody else put around ours stays, and writes through", () => {
    const { stdout } = script(`
      noteSecret(secret)
      let theirs
      await Effect.runPromise(Effect.scoped(Effect.andThen(maskConsole, Effect.sync(() => {
        const write = process.stdout.write
        theirs = process.stdout.write = (...rest) => write.apply(process.stdout, rest)
        process.stdout.write("during " + secret + "\\n")
      }))))
      process.stdout.write("after " + (process.stdout.write === theirs) + " " + secret + "\\n")`)
    expect(stdout).toBe(`during ***\nafter true ${secret}\n`)
  })
})
