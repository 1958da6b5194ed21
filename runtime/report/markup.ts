/** HTML that is escaped by construction: only what `html` made goes through `html` unescaped. */

/** A piece of finished HTML. */
export class Html {
  readonly markup: string
  constructor(markup: string) {
    this.markup = markup
  }
}

type Part = string | number | Html | null | ReadonlyArray<Html>

/** Escapes every `${string}`; a list is joined, null is nothing. */
export const html = (literals: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Html =>
  new Html(literals.reduce((sofar, literal, index) => sofar + markupOf(parts[index - 1] ?? null) + literal))

/** Text for an element or a quoted attribute. */
export const escape = (text: string): string => reveal(text).replace(/[&<>"']/g, (character) => entities[character] ?? character)

/** Shows controls, and the marks that turn the direction of text, as their code: a file name could hide what stands around it. */
export const reveal = (text: string): string =>
  text.toWellFormed().replace(invisible, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** At most `max` characters, with an ellipsis that shows where it was cut. */
export const clip = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`)

const markupOf = (part: Part): string => {
  if (part === null) return ""
  if (part instanceof Html) return part.markup
  if (typeof part === "object") return part.map(({ markup }) => markup).join("")
  return escape(String(part))
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }

// oxlint-disable-next-line no-control-regex
const invisible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
