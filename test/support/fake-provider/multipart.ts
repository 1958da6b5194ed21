/** Reads `multipart/form-data` as it streams in: small fields as text, one file into a spool. */
import { Spool } from "./spool.ts"

/** A field that isn't the file may be this long. */
const fieldBytesMax = 64 * 2 ** 10

const headEnd = Buffer.from("\r\n\r\n")

export interface Upload {
  readonly fields: Readonly<Record<string, string>>
  readonly filename: string
  readonly file: Spool
}

type State = "preamble" | "head" | "field" | "file" | "done"

export class MultipartReader {
  readonly #mark: Buffer
  #state: State = "preamble"
  // What can't be judged yet: less than a boundary, a head, or a field.
  #rest: Buffer = Buffer.alloc(0)
  #field = ""
  readonly #fields: Record<string, string> = {}
  #filename: string | undefined
  readonly #file = new Spool()

  /** Undefined where the content type names no boundary. */
  static of(contentType: string | undefined): MultipartReader | undefined {
    const boundary = /^multipart\/form-data;.*boundary="?([^";]+)/i.exec(contentType ?? "")?.[1]
    return boundary === undefined ? undefined : new MultipartReader(boundary)
  }

  constructor(boundary: string) {
    this.#mark = Buffer.from(`\r\n--${boundary}`)
    // The first boundary has no line break before it.
    this.#rest = Buffer.from("\r\n")
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (this.#step()) {
      // Each step takes a boundary, a head or a part's end off the rest, which is finite.
    }
  }

  #step(): boolean {
    if (this.#state === "done") return false
    if (this.#state === "head") return this.#readHead()
    const at = this.#rest.indexOf(this.#mark)
    if (at < 0) {
      this.#passOn()
      return false
    }
    // The two bytes after a boundary tell an end ("--") from a line break.
    if (this.#rest.length < at + this.#mark.length + 2) return false
    const part = this.#rest.subarray(0, at)
    if (this.#state === "file") this.#file.append(Buffer.from(part))
    if (this.#state === "field") this.#fields[this.#field] = part.toString()
    const after = at + this.#mark.length
    this.#state = this.#rest.subarray(after, after + 2).toString() === "--" ? "done" : "head"
    this.#rest = this.#rest.subarray(after + 2)
    return true
  }

  /** Everything of a file that can't be the start of a boundary goes to the spool. */
  #passOn(): void {
    if (this.#state === "file" && this.#rest.length > this.#mark.length) {
      const sure = this.#rest.length - this.#mark.length
      this.#file.append(Buffer.from(this.#rest.subarray(0, sure)))
      this.#rest = Buffer.from(this.#rest.subarray(sure))
    } else if (this.#rest.length > fieldBytesMax && this.#state !== "file") throw new Error("a form field is too long")
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf(headEnd)
    if (end < 0) return false
    const head = this.#rest.subarray(0, end).toString()
    this.#field = /[; ]name="([^"]*)"/.exec(head)?.[1] ?? ""
    const filename = /filename="([^"]*)"/.exec(head)?.[1]
    this.#state = this.#field === "file" && filename !== undefined ? "file" : "field"
    if (this.#state === "file") this.#filename = filename
    this.#rest = this.#rest.subarray(end + headEnd.length)
    return true
  }

  /** Undefined where the body ended early or held no file. */
  finish(): Upload | undefined {
    if (this.#state === "done" && this.#filename !== undefined) {
      return { fields: this.#fields, filename: this.#filename, file: this.#file.seal() }
    }
    this.#file.close()
    return undefined
  }
}
