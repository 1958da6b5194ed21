/** Bytes that come over the wire as lines, in groups, whatever their number: bounded by the longest line. */

const linesAtOnce = 500
/** A line that is longer is no answer of a model. */
const lineMax = 64 * 1024 * 1024

/** Complete lines without their breaks; empty ones are left out. Throws what the source throws: then nothing can be said of the rest. */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadonlyArray<string>> {
  const decoder = new TextDecoder()
  let rest = ""
  let lines: Array<string> = []
  for await (const chunk of source) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n")
    rest = parts.pop() ?? ""
    if (rest.length > lineMax) throw new Error(`a line is longer than ${lineMax} characters`)
    for (const part of parts) if (part.trim() !== "") lines.push(part)
    if (lines.length >= linesAtOnce) {
      yield lines
      lines = []
    }
  }
  rest += decoder.decode()
  if (rest.trim() !== "") lines.push(rest)
  if (lines.length > 0) yield lines
}
