/** Prompt caching: a prefix that was read before is cheaper to read again. */
import { hashOf } from "./chance.ts"

/** A place up to which the prompt may be cached. */
export interface Breakpoint {
  readonly prefix: string
  readonly tokens: number
  readonly ttl: "5m" | "1h"
}

export interface Cached {
  readonly read: number
  readonly write5m: number
  readonly write1h: number
}

const nothing: Cached = { read: 0, write5m: 0, write1h: 0 }
const lifetimeMs = { "5m": 5 * 60_000, "1h": 60 * 60_000 } as const

/** Which prefixes are cached, and until when. */
export class PromptCache {
  readonly #expiry = new Map<number, number>()

  #has(key: number, now: number): boolean {
    return (this.#expiry.get(key) ?? 0) > now
  }

  /** OpenAI's automatic caching, in steps of 128 tokens; writes cost nothing. */
  automatic(model: string, prefix: string, tokens: number, minTokens: number): Cached {
    if (tokens < minTokens) return nothing
    const now = Date.now()
    const key = hashOf(`${model} ${prefix}`)
    const isHit = this.#has(key, now)
    this.#expiry.set(key, now + lifetimeMs["5m"])
    return isHit ? { ...nothing, read: Math.floor(tokens / 128) * 128 } : nothing
  }

  /** Anthropic's: only where `cache_control` stands, from the shortest prefix to the longest. */
  marked(model: string, breakpoints: ReadonlyArray<Breakpoint>, minTokens: number): Cached {
    const long = breakpoints.filter(({ tokens }) => tokens >= minTokens)
    const last = long.at(-1)
    if (last === undefined) return nothing
    const now = Date.now()
    let read = 0
    for (const { prefix, tokens, ttl } of long) {
      const key = hashOf(`${model} ${prefix}`)
      if (this.#has(key, now)) read = tokens
      this.#expiry.set(key, now + lifetimeMs[ttl])
    }
    const write = last.tokens - read
    return { read, write5m: last.ttl === "5m" ? write : 0, write1h: last.ttl === "1h" ? write : 0 }
  }
}
