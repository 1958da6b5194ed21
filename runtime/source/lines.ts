/** Cuts bytes into lines at `\n` and nowhere else: U+2028, U+2029 and a lone `\r` are text. */

/** One line without its ending. */
export interface Line {
  /** From 1; blank lines count too. */
  readonly number: number
  /** Of its first byte in the file; after the BOM on the first line. */
  readonly offset: number
  /** The whole line, or its first kilobyte when it `isTooLong`. May be a view on the block. */
  readonly bytes: Buffer
  readonly isTooLong: boolean
}

/** Takes a file block by block, wherever the blocks are cut. */
export interface LineSplitter {
  /** The lines that end in this block, in order. */
  readonly push: (block: Buffer) => ReadonlyArray<Line>
  /** The last line, if the file doesn't end with `\n`. */
  readonly end: () => ReadonlyArray<Line>
}

/** What is kept of a line over the bound, for its excerpt. */
const KEPT_OF_TOO_LONG = 1024

/** Lines over `lineBytesMax` are counted, not held: memory stays at one line and one block. */
export const makeLineSplitter = (options: { readonly lineBytesMax: number }): LineSplitter => {
  // The unfinished line: its pieces so far, unless it is too long, and then only its start.
  let pieces: Array<Buffer> = []
  let length = 0
  let isTooLong = false
  let number = 1
  let offset = 0

  const hold = (piece: Buffer): void => {
    length += piece.length
    if (isTooLong) return
    pieces.push(piece)
    if (length > options.lineBytesMax) {
      isTooLong = true
      pieces = [Buffer.from(Buffer.concat(pieces).subarray(0, Math.min(KEPT_OF_TOO_LONG, options.lineBytesMax)))]
    }
  }

  const finish = (): Line => {
    const [only = Buffer.alloc(0)] = pieces
    const whole = pieces.length > 1 ? Buffer.concat(pieces) : only
    const line = trim({ number, offset, bytes: whole, isTooLong })
    offset += length + 1
    number += 1
    pieces = []
    length = 0
    isTooLong = false
    return line
  }

  return {
    push: (block) => {
      const lines: Array<Line> = []
      let from = 0
      for (let at = block.indexOf(10); at !== -1; at = block.indexOf(10, from)) {
        hold(block.subarray(from, at))
        lines.push(finish())
        from = at + 1
      }
      if (from < block.length) hold(block.subarray(from))
      return lines
    },
    end: () => (length === 0 ? [] : [finish()])
  }
}

/** Drops the BOM of the first line and the `\r` of a Windows ending. */
const trim = (line: Line): Line => {
  const { bytes, number, offset, isTooLong } = line
  const start = number === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  const end = !isTooLong && bytes.length > start && bytes[bytes.length - 1] === 13 ? bytes.length - 1 : bytes.length
  if (start === 0 && end === bytes.length) return line
  return { number, offset: offset + start, bytes: bytes.subarray(start, end), isTooLong }
}
