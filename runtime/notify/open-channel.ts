/** The channels there are: a webhook of one's own, Slack's incoming webhooks and what takes the same, and this process's stderr. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"

import type { Channel } from "./channel.ts"
import { linesOf, type Message } from "./message.ts"
import type { Post } from "./post.ts"

export interface DeclaredChannel {
  readonly name: string
  readonly kind: "webhook" | "slack" | "console"
  /** Null for a console. */
  readonly url: Redacted.Redacted<string> | null
}

export const openChannel = ({ name, kind, url }: DeclaredChannel, post: Post): Channel => {
  if (kind === "console" || url === null) return { name, send: writeToConsole }
  return { name, send: (message) => post(url, kind === "slack" ? slackJson(message) : message) }
}

const writeToConsole = (message: Message) => Effect.sync(() => void process.stderr.write(`${linesOf(message).join("\n")}\n`))

/** Slack shows `text` as mrkdwn, where three characters must be escaped: a job's name could otherwise call a whole channel. */
export const slackJson = (message: Message): { readonly text: string } => {
  const [title = "", text = ""] = linesOf(message).map(escapeMrkdwn)
  const { commands } = message
  return {
    text: [`*${title}*`, text, ...(commands.length > 0 ? [`\`\`\`${commands.map(escapeMrkdwn).join("\n")}\`\`\``] : [])].join("\n")
  }
}

const escapeMrkdwn = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
