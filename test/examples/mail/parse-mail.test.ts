import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { Schema } from "effect"
import { describe, expect, it } from "vitest"

import { Mail, parseMail } from "../../../examples/mail/parse-mail.ts"
import { corpus } from "../../../examples/mail/spam-filter.ts"

const paths = (await readdir(corpus, { recursive: true })).map((path) => path.replaceAll("\\", "/")).filter((path) => path.endsWith(".txt"))

/** Reads one real mail, named by folder and number. */
const read = async (name: string) => {
  const path = paths.find((candidate) => candidate.startsWith(`${name}.`))
  if (path === undefined) throw new Error(`No mail ${name}`)
  return parseMail({ path, bytes: await readFile(join(corpus, path)) })
}

const parse = (lines: ReadonlyArray<string>, encoding: BufferEncoding = "latin1") =>
  parseMail({ path: "made-up/1.txt", bytes: Buffer.from(lines.join("\n"), encoding) })

describe("an ordinary mail", () => {
  it("becomes a flat item named by its folder and file, whatever mbox line stands above its headers", async () => {
    const { body, ...rest } = await read("easy-ham-1/00001")
    expect(rest).toEqual({
      id: "easy-ham-1/00001.7c53336b37003a9286aba55d2945844c",
      from: "Robert Elz <kre@munnari.OZ.AU>",
      subject: "Re: New Sequences Window",
      date: "2002-08-22T11:26:25.000Z",
      attachments: 0,
      truth: "ham"
    })
    expect(body).toMatch(/^Date: {8}Wed, 21 Aug 2002 10:54:46 -0500\n/)
    expect(body).not.toContain("Return-Path")
  })

  it("takes its label from the folder alone", async () => {
    expect((await read("spam-1/00001")).truth).toBe("spam")
    expect((await read("spam-2/00001")).truth).toBe("spam")
    expect((await read("easy-ham-2/00001")).truth).toBe("ham")
    expect((await read("hard-ham-1/00001")).truth).toBe("ham")
  })
})

describe("a mail that isn't UTF-8", () => {
  it("is read in the charset that it declares", async () => {
    expect((await read("easy-ham-1/00007")).body).toContain("(£160,000)")
    expect((await read("easy-ham-1/00009")).body).toContain("now’s your chance")
  })

  it("is read as windows-1252 where it declares none, in the headers as in the body", async () => {
    expect((await read("easy-ham-1/02218")).subject).toBe("Robbie Williams signs £80m deal")
    expect((await read("easy-ham-2/01131")).from).toBe("Nils O. Selåsdal <noselasd@Utel.no>")
    expect((await read("easy-ham-1/00302")).body).toContain("based in Düsseldorf, Germany")
    expect((await read("spam-2/00894")).body).toContain("• No Experience Necessary")
  })

  it("is read in the charset that only its HTML names", async () => {
    const mail = await read("spam-2/00737")
    expect(mail.subject).toBe("改善掉髮，預防禿頭的最佳選擇")
    expect(mail.body).toMatch(/^改善掉髮，預防禿頭的最佳選擇\n/)
  })

  it("is read whole when it is 300 kB of Japanese with an attachment", async () => {
    const mail = await read("hard-ham-1/00039")
    expect(mail.subject).toBe("日本語の件名（サブジェクト）　スパムメールではありません！")
    expect(mail.body).toContain("いつもお世話になっております。")
    expect(mail.attachments).toBe(1)
  })
})

describe("a mail of HTML only", () => {
  it("becomes text without tags, scripts or images, with the addresses of its links", async () => {
    const { body } = await parse(
      [
        "Content-Type: text/html; charset=utf-8",
        "",
        "<html><head><style>p { color: red }</style><script>track()</script></head>",
        '<body><p>Caf\u00e9 &amp; more<br>now</p><img src="http://spy.example/1.gif"><a href="http://shop.example">Buy</a></body></html>'
      ],
      "utf8"
    )
    expect(body).toBe("Café & more\nnow\n\nBuy [http://shop.example]")
  })

  it("stays readable when it comes from a newsletter's layout tables", async () => {
    const { body } = await read("hard-ham-1/00011")
    expect(body).toContain("Cable companies cracking down on Wi-Fi\nApple's iPod comes to Linux")
    expect(body).not.toMatch(/<\/?(table|td|font)\b/i)
  })

  it("gives way to the plain text where a mail has both", async () => {
    const { body } = await parse([
      'Content-Type: multipart/alternative; boundary="b"',
      "",
      "--b",
      "Content-Type: text/plain",
      "",
      "plain",
      "--b",
      "Content-Type: text/html",
      "",
      "<b>rich</b>",
      "--b--"
    ])
    expect(body).toBe("plain")
  })
})

describe("a broken mail", () => {
  it("has an empty text where it has no subject, sender or body", async () => {
    expect(await read("easy-ham-2/01278")).toMatchObject({ subject: "", from: "mail <mail@dogma.slashnull.org>" })
    expect(await read("spam-2/00049")).toMatchObject({ subject: "Email Marketing Works", from: "" })
    expect(await read("spam-1/00307")).toMatchObject({ body: "", attachments: 2 })
  })

  it("names the group when the sender is a group without an address", async () => {
    expect((await read("spam-2/00916")).from).toBe("qvaC")
  })

  it("has no date where the header holds none, and a date in UTC where the header names no zone", async () => {
    expect((await read("spam-1/00163")).date).toBeNull()
    expect((await read("spam-1/00048")).date).toBe("2002-08-23T19:27:52.000Z")
  })

  it("keeps what can be read when base64 is followed by junk or a multipart never ends", async () => {
    expect((await read("spam-2/00853")).body).toContain("黄山旅游天天发")
    expect((await read("spam-1/00022")).body).not.toBe("")
  })

  it("is an item even without a single byte", async () => {
    expect(await parse([])).toEqual({ id: "made-up/1", from: "", subject: "", date: null, body: "", attachments: 0, truth: "ham" })
  })
})

describe("every twentieth mail of the corpus", () => {
  it("fits the schema, with text that is well-formed and garbled only where its bytes belong to no charset", async () => {
    const isMail = Schema.is(Mail)
    const misfits: Array<string> = []
    const garbled: Array<string> = []
    for (const path of paths.toSorted().filter((_path, index) => index % 20 === 0)) {
      const mail = await parseMail({ path, bytes: await readFile(join(corpus, path)) })
      const text = `${mail.from}${mail.subject}${mail.body}`
      if (!isMail(mail) || !text.isWellFormed()) misfits.push(mail.id)
      if (text.includes("\uFFFD")) garbled.push(mail.id)
    }
    expect(misfits).toEqual([])
    // Its subject, declared as Big5, was cut inside a character.
    expect(garbled).toEqual(["spam-1/00311.9797029f3ee441b00f3b7521e573cb96"])
  })
})
