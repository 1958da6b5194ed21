import { describe, expect, it } from "vitest"

import { declareCharset } from "../../../examples/mail/declare-charset.ts"

/** Bytes in, bytes out, both written with one character a byte. */
const declared = (raw: string) => Buffer.from(declareCharset(Buffer.from(raw, "latin1"))).toString("latin1")

describe("a mail of one part", () => {
  it("gets a Content-Type where it has none", () => {
    expect(declared("Subject: Hi\n\ncaf\xe9")).toBe("Content-Type: text/plain; charset=windows-1252\nSubject: Hi\n\ncaf\xe9")
  })

  it("gets a charset where its Content-Type names none", () => {
    expect(declared("Content-Type: text/html\n\ncaf\xe9")).toBe("Content-Type: text/html; charset=windows-1252\n\ncaf\xe9")
  })

  it("keeps the charset that it declares, on the same line or on a folded one", () => {
    const same = "Content-Type: text/plain; charset=big5\n\n\xa7\xda"
    const folded = "Content-Type: text/plain;\n\tformat=flowed;\n\tcharset=big5\n\n\xa7\xda"
    expect(declared(same)).toBe(same)
    expect(declared(folded)).toBe(folded)
  })

  it("gets the charset of its HTML, also through quoted-printable", () => {
    expect(declared('Content-Type: text/html\n\n<meta content="text/html; charset=koi8-r">')).toMatch(
      /^Content-Type: text\/html; charset=koi8-r\n/
    )
    expect(declared('Content-Type: text/html\n\n<meta content=3D"text/html; charset=3Dbig5">')).toMatch(
      /^Content-Type: text\/html; charset=big5\n/
    )
  })

  it("falls back to windows-1252 where the charset is unknown, or is the UTF-8 that the bytes are not", () => {
    expect(declared("Content-Type: text/html\n\n<meta charset=default><meta charset=utf-8>")).toMatch(/; charset=windows-1252\n/)
  })

  it("has its 8-bit headers turned into UTF-8, and every byte of its body kept", () => {
    const body = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))
    const out = declareCharset(Buffer.from(`Subject: Caf\xe9\nContent-Type: text/plain\n\n${body}`, "latin1"))
    expect(Buffer.from(out).toString("utf8")).toMatch(/^Subject: Café\n/)
    expect(Buffer.from(out).toString("latin1").endsWith(`\n\n${body}`)).toBe(true)
  })
})

describe("a mail of several parts", () => {
  it("gets a charset in the parts that name none, and in those only", () => {
    const parts = (charset: string) =>
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain${charset}\r\n\r\ncaf\xe9\r\n` +
      `--b\r\nContent-Type: text/html;\r\n\tcharset=koi8-r\r\n\r\n\xe9\r\n--b\r\nContent-Type: image/gif\r\n\r\n\xe9\r\n--b--`
    expect(declared(parts(""))).toBe(parts("; charset=koi8-r"))
  })

  it("keeps text that only looks like a header", () => {
    const raw =
      "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=big5\n\nContent-Type: text/html\n\n--b--"
    expect(declared(raw)).toBe(raw)
  })
})
