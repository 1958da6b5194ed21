/** From the bytes of a mail file to a flat item that a prompt, a rule and SQL can read. */
import { Schema } from "effect"
import { convert } from "html-to-text"
import PostalMime, { type Address, type Email } from "postal-mime"

import { declareCharset } from "./declare-charset.ts"

/**
 * What the people who collected the mails said of each. They said no more than this: telling a mailing list from a personal mail would
 * need headers such as List-Id, which 226 of the spam mails carry as well.
 */
export const Topic = Schema.Literals(["spam", "ham"])
export type Topic = typeof Topic.Type

/** One mail. Texts are empty where the mail has none. */
export const Mail = Schema.Struct({
  /** Folder and file name without its ending: `spam-1/00001.7848dde101aa985090474a91ec93fcf0`. */
  id: Schema.NonEmptyString,
  /** `Name <address>`, as the sender claims. */
  from: Schema.String,
  subject: Schema.String,
  /** ISO 8601 in UTC, as the sender claims; null where that is missing or no date. */
  date: Schema.NullOr(Schema.String),
  /** Plain text; made from the HTML where there is no other. */
  body: Schema.String,
  attachments: Schema.Finite,
  /** The label, by folder. Models must not see it. */
  truth: Topic
})
export type Mail = typeof Mail.Type

/** Reads bytes, never text: the charset stands inside the mail, and 500 of the 6,046 are not UTF-8. */
export const parseMail = async ({ path, bytes }: { readonly path: string; readonly bytes: Uint8Array }): Promise<Mail> => {
  const asSent = await PostalMime.parse(bytes)
  const email = isGarbled(asSent) ? await PostalMime.parse(declareCharset(bytes)) : asSent
  return {
    id: path.replace(/\.txt$/, ""),
    from: formatSender(email.from),
    subject: email.subject ?? "",
    date: readDate(email.headers.find(({ key }) => key === "date")?.value),
    body: readBody(email),
    attachments: email.attachments.length,
    truth: path.startsWith("spam") ? "spam" : "ham"
  }
}

/** U+FFFD is what a decoder writes for bytes that don't belong to the charset. */
const isGarbled = ({ text, html, subject, from }: Email): boolean =>
  [text, html, subject, from?.name].some((part) => part?.includes("\uFFFD") === true)

const formatSender = (from: Address | undefined): string =>
  from === undefined ? "" : from.address === undefined ? from.name : `${from.name} <${from.address}>`.trimStart()

/** Without a zone the time counts as UTC, so that every machine reads the same; JavaScript would take the machine's own zone. */
const readDate = (value: string | undefined): string | null => {
  if (value === undefined) return null
  const instant = new Date(/[+-]\d{4}|\b[A-Z]{2,4}\b/.test(value) ? value : `${value} UTC`)
  return Number.isNaN(instant.getTime()) ? null : instant.toISOString()
}

const readBody = ({ text, html }: Email): string => {
  const plain = text?.trim() ?? ""
  // Links keep their address: where a mail wants its reader to go says a lot about it.
  return plain !== "" || html === undefined
    ? plain
    : convert(html, { wordwrap: false, selectors: [{ selector: "img", format: "skip" }] }).trim()
}
