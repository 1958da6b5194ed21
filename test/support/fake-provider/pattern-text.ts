/** Texts that match a regular expression: the plain part of the language that schemas of data use. */

/** Random bits for a place of the text. */
type Bits = (place: number) => number
type Node =
  | { readonly kind: "set"; readonly chars: string }
  | { readonly kind: "repeat"; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly kind: "choice"; readonly branches: ReadonlyArray<ReadonlyArray<Node>> }

const range = (from: string, to: string): string =>
  Array.from({ length: to.charCodeAt(0) - from.charCodeAt(0) + 1 }, (_, n) => String.fromCharCode(from.charCodeAt(0) + n)).join("")

const digits = range("0", "9")
const words = `${range("a", "z")}${digits}_`
const printable = `${range("a", "z")}${range("A", "Z")}${digits} .,-`
const classes: Readonly<Record<string, string>> = { d: digits, w: words, s: " ", D: range("a", "z"), W: "-", S: words, n: "\n", t: "\t" }

/** How often `*` and `+` repeat beyond their least. */
const repeatMax = 8

/** A writer of texts that match `pattern`, or, where the pattern says more than this file reads (look-arounds, back-references), an error. */
export const patternText = (pattern: string): ((bits: Bits, minLength: number) => string) => {
  const reader = new Reader(pattern)
  const root = reader.choice()
  if (reader.at < pattern.length) throw new Error(`pattern ${pattern}: can't read from character ${reader.at}`)
  return (bits, minLength) => {
    let place = 0
    const write = (node: Node, long: boolean): string => {
      switch (node.kind) {
        case "set":
          return node.chars.charAt(bits(++place) % node.chars.length)
        case "repeat": {
          const count = long ? node.max : node.min + (bits(++place) % (node.max - node.min + 1))
          let text = ""
          for (let n = 0; n < count; n++) text += write(node.node, long)
          return text
        }
        case "choice":
          return (node.branches[bits(++place) % node.branches.length] ?? []).map((part) => write(part, long)).join("")
      }
    }
    const text = write(root, false)
    // All repeats at their most, where the first draw was too short.
    return text.length < minLength ? write(root, true) : text
  }
}

class Reader {
  readonly pattern: string
  at = 0

  constructor(pattern: string) {
    this.pattern = pattern
  }

  #peek(): string {
    return this.pattern.charAt(this.at)
  }

  choice(): Node {
    const branches: Array<ReadonlyArray<Node>> = [this.#sequence()]
    while (this.#peek() === "|") {
      this.at++
      branches.push(this.#sequence())
    }
    return { kind: "choice", branches }
  }

  #sequence(): ReadonlyArray<Node> {
    const nodes: Array<Node> = []
    while (this.at < this.pattern.length && this.#peek() !== "|" && this.#peek() !== ")") {
      const char = this.#peek()
      if (char === "^" || char === "$") {
        this.at++
        continue
      }
      nodes.push(this.#quantified(this.#atom()))
    }
    return nodes
  }

  #atom(): Node {
    const char = this.pattern.charAt(this.at++)
    if (char === "(") return this.#group()
    if (char === "[") return { kind: "set", chars: this.#set() }
    if (char === ".") return { kind: "set", chars: printable }
    if (char === "\\") return { kind: "set", chars: this.#escape() }
    return { kind: "set", chars: char }
  }

  #group(): Node {
    if (this.pattern.startsWith("?:", this.at)) this.at += 2
    else if (this.#peek() === "?") throw new Error(`pattern ${this.pattern}: look-arounds and named groups aren't read`)
    const node = this.choice()
    if (this.pattern.charAt(this.at++) !== ")") throw new Error(`pattern ${this.pattern}: a group isn't closed`)
    return node
  }

  #escape(): string {
    const char = this.pattern.charAt(this.at++)
    return classes[char] ?? char
  }

  #set(): string {
    const isNegated = this.#peek() === "^"
    if (isNegated) this.at++
    let chars = ""
    while (this.at < this.pattern.length && this.#peek() !== "]") {
      const char = this.pattern.charAt(this.at++)
      const from = char === "\\" ? this.#escape() : char
      if (from.length === 1 && this.#peek() === "-" && this.pattern.charAt(this.at + 1) !== "]") {
        this.at++
        chars += range(from, this.pattern.charAt(this.at++))
      } else chars += from
    }
    this.at++
    return isNegated ? [...printable].filter((char) => !chars.includes(char)).join("") : chars
  }

  #quantified(node: Node): Node {
    const char = this.#peek()
    const bounds = /^\{(\d+)(,(\d*))?\}/.exec(this.pattern.slice(this.at))
    const [length, min, max] =
      char === "?"
        ? [1, 0, 1]
        : char === "*"
          ? [1, 0, repeatMax]
          : char === "+"
            ? [1, 1, 1 + repeatMax]
            : bounds === null
              ? [0, 1, 1]
              : [
                  bounds[0].length,
                  Number(bounds[1]),
                  bounds[2] === undefined ? Number(bounds[1]) : Number(bounds[3] || Number(bounds[1]) + repeatMax)
                ]
    this.at += length
    return length === 0 ? node : { kind: "repeat", node, min, max }
  }
}
