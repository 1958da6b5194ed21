/** Mail that carries bytes above 127 and doesn't say in which charset, as much of the mail of 2002 does. */

const fallback = "windows-1252"

/**
 * The same mail with its charset written into the headers that lack one: the charset that the mail names elsewhere (often in a
 * `<meta>` of its HTML), or windows-1252, which mail programs assume too. A charset that a part does declare is left alone, even a wrong one.
 */
export const declareCharset = (bytes: Uint8Array): Uint8Array => {
  // latin1 is one character a byte in both directions, so what isn't replaced comes out as it went in.
  const raw = Buffer.from(bytes).toString("latin1")
  const charset = namedCharset(raw) ?? fallback
  const end = raw.search(/\r?\n\r?\n/)
  const header = end === -1 ? raw : raw.slice(0, end)
  const body = raw.slice(header.length)
  // Headers may hold 8-bit text as well, and parsers read a header as UTF-8 whatever the body's charset is.
  const readable = new TextDecoder(charset).decode(Buffer.from(header, "latin1"))
  return Buffer.concat([Buffer.from(declareInHeader(readable, charset)), Buffer.from(declareInParts(header, body, charset), "latin1")])
}

/** The first charset in the mail that isn't Unicode (those bytes weren't) and that this Node can decode. */
const namedCharset = (raw: string): string | undefined => {
  // In quoted-printable text `=` is written `=3D`.
  const labels = raw.matchAll(/charset=(?:3D)?["']?([\w-]+)/gi)
  return labels.map(([, label = ""]) => encodingOf(label)).find((encoding) => encoding !== undefined && !encoding.startsWith("utf-"))
}

const encodingOf = (label: string): string | undefined => {
  try {
    return new TextDecoder(label).encoding
  } catch {
    return undefined // TextDecoder's only way to say that it doesn't know a label
  }
}

/** Matches the type of a text part unless a charset follows it, on the same line or on a folded one. */
const undeclared = String.raw`content-type:\s*text/\w+(?!(?:[^\n]|\n[ \t])*charset=)`

const declareInHeader = (header: string, charset: string): string =>
  /^content-type:/im.test(header)
    ? header.replace(new RegExp(`^${undeclared}`, "im"), `$&; charset=${charset}`)
    : `Content-Type: text/plain; charset=${charset}\n${header}`

/** A part's header is what follows a `--boundary` line, up to the first empty line. */
const declareInParts = (header: string, body: string, charset: string): string =>
  /^content-type:\s*multipart\//im.test(header)
    ? body.replace(new RegExp(String.raw`^--\S[^\n]*\n(?:[^\n]+\n)*?${undeclared}`, "gim"), `$&; charset=${charset}`)
    : body
