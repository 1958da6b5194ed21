/** When a call is taken for hanging. */
import type { Account } from "./accounts.ts"

/** Until a first token may come, and for each that may follow: ten a second is slower than any hosted model answers. */
const firstTokenMs = 60_000
const tokenMs = 100

/**
 * Ms from sending a call: as its account says; else at a hosted provider as long as `maxTokens` would take at a slow pace, so that a
 * short answer that hangs is known to hang in about a minute; at a server of one's own, which may queue, ten minutes.
 */
export const callTimeoutMs = (
  { engine, timeoutMs, isTimeoutOwn }: Pick<Account, "engine" | "timeoutMs" | "isTimeoutOwn">,
  maxTokens: number | null
): number =>
  isTimeoutOwn || engine === "openai-compatible" || maxTokens === null ? timeoutMs : Math.min(timeoutMs, firstTokenMs + tokenMs * maxTokens)
