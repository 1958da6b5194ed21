/** One normal form of what providers say an answer used (case 34). */

/** Tokens of one call. `inputTokens` is everything read, cached or not; `outputTokens` is everything written, reasoning included. */
export interface Usage {
  readonly inputTokens: number
  /** Of `inputTokens`: read from the provider's cache. */
  readonly cacheReadTokens: number
  /** Of `inputTokens`: written to a cache that lives five minutes. */
  readonly cacheWrite5mTokens: number
  /** Of `inputTokens`: written to a cache that lives an hour. */
  readonly cacheWrite1hTokens: number
  readonly outputTokens: number
  /** Of `outputTokens`: thought, not said. */
  readonly reasoningTokens: number
}

/** A call that used nothing: refused before it was read, or answered by a function. */
export const noUsage: Usage = {
  inputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0
}
