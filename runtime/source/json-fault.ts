/** Finds where a text stops being JSON. `JSON.parse` names the column for some faults only. */

/** The parser's reason and the column, in one line. Only for text that `JSON.parse` refused. */
export const jsonFault = (text: string, thrown: unknown): string => {
  const said = thrown instanceof Error ? thrown.message : String(thrown)
  const [reason = said] = said.split(/,? (?:"|\.\.\.|in JSON|is not valid JSON|\(line )/, 1)
  return `not JSON at column ${faultColumn(text)}: ${reason.replaceAll("\n", " ").slice(0, 200)}`
}

const space = /[\t\r ]*/y
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
/** As much of a string as is right, without its closing quote. Loops of plain characters are inside, so length costs no stack. */
const string = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*/y

type Expects = "value" | "key" | "firstKey" | "firstValue" | "colon" | "after"

/** From 1, in characters. One pass over the grammar; a stack of what must close, so depth can't overflow. */
const faultColumn = (text: string): number => {
  const open: Array<"}" | "]"> = []
  let at = 0
  let expects: Expects = "value"
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    const length = pattern.exec(text)?.[0].length ?? 0
    at += length
    return length > 0
  }
  const takeString = (): boolean => take(string) && text[at++] === '"'
  for (;;) {
    take(space)
    const next = text[at]
    if (next === undefined) return text.length + 1
    const isKey: boolean = expects === "key" || expects === "firstKey"
    const mayClose: boolean = expects === "after" || expects === "firstKey" || expects === "firstValue"
    if (expects === "colon" || (expects === "after" && next === "," && open.length > 0)) {
      if (expects === "colon" && next !== ":") return at + 1
      at += 1
      expects = expects === "colon" || open.at(-1) === "]" ? "value" : "key"
    } else if (next === open.at(-1) && mayClose) {
      at += 1
      open.pop()
      expects = "after"
    } else if (expects === "after") {
      return at + 1
    } else if (next === '"') {
      if (!takeString()) return at
      expects = isKey ? "colon" : "after"
    } else if (isKey) {
      return at + 1
    } else if (next === "{" || next === "[") {
      at += 1
      open.push(next === "{" ? "}" : "]")
      expects = next === "{" ? "firstKey" : "firstValue"
    } else {
      if (!take(scalar)) return at + 1
      expects = "after"
    }
  }
}
