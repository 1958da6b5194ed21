/** UTF-8 that is refused where it is broken, instead of turning into U+FFFD unnoticed. */
import { isUtf8 } from "node:buffer"

/** Thrown by `SourceFile.text()`. The reader turns it into a rejection with the code `encoding`. */
export class InvalidUtf8 extends Error {
  override readonly name = "InvalidUtf8"
}

/** The text of valid UTF-8, or null. A BOM stays: who reads the start of a file drops it. */
export const textOf = (bytes: Buffer): string | null => (isUtf8(bytes) ? bytes.toString("utf8") : null)

/** Says which byte of `whole` ("line", "file", a cell) isn't UTF-8. Only for bytes that aren't. */
export const encodingReason = (bytes: Buffer, whole: string): string => {
  const at = firstInvalid(bytes)
  const value = (bytes[at] ?? 0).toString(16).padStart(2, "0").toUpperCase()
  return `not UTF-8: byte ${at + 1} of the ${whole} is 0x${value}. Convert the file, for example with iconv -f WINDOWS-1252 -t UTF-8`
}

/** Index of the first byte that no valid sequence starts at. Only for bytes that aren't valid. */
const firstInvalid = (bytes: Buffer): number => {
  // Decoding puts U+FFFD where a sequence breaks, but the text may also hold real ones: those are EF BF BD in the bytes.
  const text = bytes.toString("utf8")
  let at = 0
  for (let index = text.indexOf("\ufffd"), from = 0; index !== -1; from = index + 1, index = text.indexOf("\ufffd", from)) {
    at += Buffer.byteLength(text.slice(from, index))
    if (bytes[at] !== 0xef || bytes[at + 1] !== 0xbf || bytes[at + 2] !== 0xbd) return at
    at += 3
  }
  return at
}

/** The first 200 characters of what can't be decoded, with U+FFFD for what is broken. */
export const lossyExcerpt = (bytes: Buffer): string => excerptOf(bytes.subarray(0, 800).toString("utf8"))

/** The first 200 characters, never half of a pair. */
export const excerptOf = (text: string): string => text.slice(0, 200).toWellFormed()
