/** Bytes that grow: in memory while they are few, in an unlinked file once they are many. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Above this a spool moves to disk. */
const memoryBytesMax = 4 * 2 ** 20
/** Writes are gathered to pieces of about this size. */
const pieceBytes = 256 * 2 ** 10

const openUnlinked = (): number => {
  const folder = mkdtempSync(join(tmpdir(), "fake-provider-"))
  const fd = openSync(join(folder, "spool"), "w+")
  // The file lives as long as its descriptor: nothing is left behind, even after a kill.
  rmSync(folder, { recursive: true })
  return fd
}

export class Spool {
  bytes = 0
  #holders = 1
  #pieces: Array<Buffer> = []
  #waiting: Array<string> = []
  #waitingChars = 0
  #fd: number | undefined
  #written = 0

  /** Adds bytes as they are. */
  append(chunk: Buffer): void {
    this.#flush()
    this.#take(chunk)
  }

  /** Adds a line. */
  appendLine(line: string): void {
    this.#waiting.push(line)
    this.#waitingChars += line.length
    if (this.#waitingChars >= pieceBytes) this.#flush()
  }

  #flush(): void {
    if (this.#waiting.length === 0) return
    const text = `${this.#waiting.join("\n")}\n`
    this.#waiting = []
    this.#waitingChars = 0
    this.#take(Buffer.from(text))
  }

  #take(chunk: Buffer): void {
    this.bytes += chunk.length
    this.#pieces.push(chunk)
    if (this.bytes <= memoryBytesMax) return
    this.#fd ??= openUnlinked()
    for (const piece of this.#pieces) this.#written += writeSync(this.#fd, piece)
    this.#pieces = []
  }

  /** Ends a run of lines, so that `bytes` counts them all. */
  seal(): this {
    this.#flush()
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)]
    return this
  }

  /** The bytes from `at`, at most `length`. */
  read(at: number, length: number): Buffer {
    const size = Math.max(0, Math.min(length, this.bytes - at))
    if (this.#fd === undefined) return this.seal().#pieces[0]?.subarray(at, at + size) ?? Buffer.alloc(0)
    const buffer = Buffer.allocUnsafe(size)
    let read = 0
    while (read < size) {
      const count = readSync(this.#fd, buffer, read, size - read, at + read)
      if (count === 0) throw new Error(`a spool of ${this.#written} bytes ends at ${at + read}`)
      read += count
    }
    return buffer
  }

  /** One more user: the bytes go when the last one closes. */
  hold(): this {
    this.#holders++
    return this
  }

  close(): void {
    if (--this.#holders > 0) return
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
    this.#pieces = []
    this.bytes = 0
  }
}

/** Where each line of a spool stands. */
export interface LineIndex {
  readonly count: number
  readonly offsets: Float64Array
  readonly lengths: Uint32Array
}

/** Finds lines as chunks go by. Line feeds alone end lines: U+2028 inside a text doesn't (case 29). */
class LineFinder {
  readonly #offsets: Array<number> = []
  readonly #lengths: Array<number> = []
  #from = 0
  #at = 0

  see(chunk: Buffer): void {
    for (let next = chunk.indexOf(10); next >= 0; next = chunk.indexOf(10, next + 1)) this.#end(this.#at + next)
    this.#at += chunk.length
  }

  #end(to: number): void {
    if (to > this.#from) {
      this.#offsets.push(this.#from)
      this.#lengths.push(to - this.#from)
    }
    this.#from = to + 1
  }

  finish(): LineIndex {
    if (this.#at > this.#from) this.#end(this.#at)
    return { count: this.#offsets.length, offsets: Float64Array.from(this.#offsets), lengths: Uint32Array.from(this.#lengths) }
  }
}

/** Finds the elements of the one array of objects in `{"requests":[…]}` as chunks go by, without parsing any. */
export class ElementFinder {
  readonly #offsets: Array<number> = []
  readonly #lengths: Array<number> = []
  #at = 0
  #from = 0
  #depth = 0
  #isInText = false
  #isEscaped = false

  see(chunk: Buffer): void {
    for (let i = 0; i < chunk.length; i++) {
      if (this.#isEscaped) {
        this.#isEscaped = false
        continue
      }
      const byte = chunk[i]
      if (this.#isInText) {
        if (byte === 92) this.#isEscaped = true
        else if (byte === 34) this.#isInText = false
      } else if (byte === 34) this.#isInText = true
      else if (byte === 123 || byte === 91) {
        if (this.#depth++ === 2) this.#from = this.#at + i
      } else if (byte === 125 || byte === 93) {
        if (--this.#depth === 2) {
          this.#offsets.push(this.#from)
          this.#lengths.push(this.#at + i + 1 - this.#from)
        }
      }
    }
    this.#at += chunk.length
  }

  /** Undefined where the text ended early. */
  finish(): LineIndex | undefined {
    if (this.#depth !== 0 || this.#isInText) return undefined
    return { count: this.#offsets.length, offsets: Float64Array.from(this.#offsets), lengths: Uint32Array.from(this.#lengths) }
  }
}

/** The lines of a whole spool. */
export const linesOf = (spool: Spool): LineIndex => {
  const finder = new LineFinder()
  for (let at = 0; at < spool.bytes; at += pieceBytes) finder.see(spool.read(at, pieceBytes))
  return finder.finish()
}
