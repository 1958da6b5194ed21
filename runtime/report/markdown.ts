/** The job's own words: Markdown or plain text, which may quote any item's data. */
import MarkdownIt from "markdown-it"
import type { RendererRule } from "markdown-it"

import { clip, escape, Html, reveal } from "./markup.ts"

/**
 * Raw HTML is shown as text; links and images become their text and address, so quoted data can neither load anything nor lead a reader
 * astray. At most 200,000 characters.
 */
export const renderMarkdown = (text: string): Html => new Html(reveal(markdown.render(clip(text, 200_000))))

// Line breaks are kept: a report may be plain text. Typographer and linkify stay off: what the job wrote is what is shown.
const markdown = new MarkdownIt({ html: false, breaks: true, linkify: false })

// A shown address needs no judgement about which schemes are safe.
markdown.validateLink = () => true
const rules: Readonly<Record<string, RendererRule>> = {
  link_open: () => "",
  link_close: (tokens, index) => {
    // Links don't nest, so the nearest opening before a closing is its own.
    const opening = tokens.slice(0, index).findLast(({ type }) => type === "link_open")
    return opening === undefined || opening.markup === "autolink" ? "" : address(opening.attrGet("href"))
  },
  image: (tokens, index) => `${escape(tokens[index]?.content ?? "")}${address(tokens[index]?.attrGet("src"))}`,
  // The page itself uses the first two levels.
  heading_open: (tokens, index) => `<h${levelOf(tokens[index]?.tag)}>`,
  heading_close: (tokens, index) => `</h${levelOf(tokens[index]?.tag)}>`,
  table_open: () => `<div class="scroll"><table>`,
  table_close: () => "</table></div>"
}
Object.assign(markdown.renderer.rules, rules)

const levelOf = (tag: string | undefined): number => Math.min(6, Number(tag?.slice(1) ?? 1) + 2)

const address = (href: string | number | null | undefined): string => ` <span class="address">(${escape(String(href ?? ""))})</span>`
