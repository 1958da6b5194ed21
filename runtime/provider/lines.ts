/** Cuts bytes that come over the wire into lines: at line feeds alone (case 29), bounded by the longest line. */

/** A longer line is no answer of a model. */
const lineBytesMax = 64 * 1024 * 1024

export class LineCutter {
  #pieces: Array<Uint8Array> = []
  #held = 0
  #isPassing = false
  /** Lines that were too long to be kept. */
  passed = 0

  /** The lines that end within the chunk, without their breaks; empty ones are left out. */
  push(chunk: Uint8Array): ReadonlyArray<string> {
    const lines: Array<string> = []
    let from = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const line = this.#end(chunk.subarray(from, at))
      if (line !== "") lines.push(line)
      from = at + 1
    }
    this.#hold(chunk.subarray(from))
    return lines
  }

  /** What stands behind the last break. */
  rest(): string {
    return this.#end(new Uint8Array())
  }

  #hold(piece: Uint8Array): void {
    if (piece.length === 0 || this.#isPassing) return
    this.#pieces.push(piece)
    this.#held += piece.length
    if (this.#held <= lineBytesMax) return
    this.#isPassing = true
    this.passed++
    this.#pieces = []
    this.#held = 0
  }

  #end(last: Uint8Array): string {
    this.#hold(last)
    const [first = new Uint8Array()] = this.#pieces
    const line = this.#isPassing ? "" : textOf(this.#pieces.length > 1 ? Buffer.concat(this.#pieces, this.#held) : first)
    this.#pieces = []
    this.#held = 0
    this.#isPassing = false
    return line
  }
}

const textOf = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("utf8").trim()
