/** What an answer's headers say of limits, in both dialects and every way of writing a time (EXE-6). */
import type { LimitSignal, LimitSignals } from "./provider-error.ts"

/** As undici gives them: names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>

/** The two families of rate headers; servers of the OpenAI dialect may send none. */
export type LimitDialect = "openai" | "anthropic"

/** Null where the headers say nothing of limits. `now` in epoch ms. Runs once a call: plain lookups, no regular expressions. */
export const limitSignals = (headers: ResponseHeaders, now: number, dialect: LimitDialect): LimitSignals | null => {
  const retryAt = retryAtOf(headers, now)
  const requests = signalOf(headers, names[dialect].requests, now)
  const tokens = mostRestrictive(headers, names[dialect].tokens, now)
  return requests === null && tokens === null && retryAt === null ? null : { requests, tokens, retryAt }
}

interface Names {
  readonly limit: string
  readonly remaining: string
  readonly reset: string
}

const openaiNames = (unit: string): Names => ({
  limit: `x-ratelimit-limit-${unit}`,
  remaining: `x-ratelimit-remaining-${unit}`,
  reset: `x-ratelimit-reset-${unit}`
})

const anthropicNames = (unit: string): Names => ({
  limit: `anthropic-ratelimit-${unit}-limit`,
  remaining: `anthropic-ratelimit-${unit}-remaining`,
  reset: `anthropic-ratelimit-${unit}-reset`
})

const names: Readonly<Record<LimitDialect, { readonly requests: Names; readonly tokens: ReadonlyArray<Names> }>> = {
  openai: { requests: openaiNames("requests"), tokens: [openaiNames("tokens")] },
  anthropic: {
    requests: anthropicNames("requests"),
    // The first counts input and output together, as the rate does: it's taken where the others are no tighter.
    tokens: [anthropicNames("tokens"), anthropicNames("input-tokens"), anthropicNames("output-tokens")]
  }
}

const signalOf = (headers: ResponseHeaders, { limit, remaining, reset }: Names, now: number): LimitSignal | null => {
  const signal = {
    limit: countOf(textOf(headers[limit])),
    remaining: countOf(textOf(headers[remaining])),
    resetAt: resetAtOf(textOf(headers[reset]), headers, now)
  }
  return signal.limit === null && signal.remaining === null && signal.resetAt === null ? null : signal
}

/** The kind with the smallest share left. Numbers of different kinds can't be compared: output's limit is always the smaller one. */
const mostRestrictive = (headers: ResponseHeaders, kinds: ReadonlyArray<Names>, now: number): LimitSignal | null => {
  let tightest: LimitSignal | null = null
  for (const kind of kinds) {
    const signal = signalOf(headers, kind, now)
    if (signal !== null && (tightest === null || isTighter(signal, tightest))) tightest = signal
  }
  return tightest
}

const isTighter = (a: LimitSignal, b: LimitSignal): boolean => {
  const [shareOfA, shareOfB] = [shareLeft(a), shareLeft(b)]
  return shareOfA === shareOfB ? shareOfA === 0 && (a.resetAt ?? 0) > (b.resetAt ?? 0) : shareOfA < shareOfB
}

/** 2 where it isn't known: anything known is tighter. */
const shareLeft = ({ limit, remaining }: LimitSignal): number =>
  remaining === 0 ? 0 : limit === null || remaining === null || limit === 0 ? 2 : remaining / limit

/** A time that is past means now: the caller has its own way of not hammering. */
const retryAtOf = (headers: ResponseHeaders, now: number): number | null => {
  const waitMs = countOf(textOf(headers["retry-after-ms"]))
  if (waitMs !== null) return now + waitMs
  const text = textOf(headers["retry-after"])
  if (text === "") return null
  const seconds = Number(text)
  if (Number.isFinite(seconds)) return seconds < 0 ? now : now + seconds * 1000
  const at = dateOf(text, headers, now)
  return at === null ? null : Math.max(now, at)
}

/** Seconds that are this large are no wait but a date: 2001 or later. */
const epochSecondsMin = 1e9
/** The same for milliseconds. */
const epochMsMin = 1e12

const resetAtOf = (text: string, headers: ResponseHeaders, now: number): number | null => {
  if (text === "") return null
  const number = Number(text)
  if (Number.isFinite(number)) {
    if (number < 0) return null
    if (number < epochSecondsMin) return now + number * 1000
    return corrected(number < epochMsMin ? number * 1000 : number, headers, now)
  }
  const durationMs = durationMsOf(text)
  return durationMs === null ? dateOf(text, headers, now) : now + durationMs
}

const dateOf = (text: string, headers: ResponseHeaders, now: number): number | null => {
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : corrected(at, headers, now)
}

/** The `date` header is whole seconds, and the answer was on its way: less than this says nothing of the clocks. */
const skewMsMin = 2_000

/** A date of the server's, on our clock: where the clocks differ, a wait would be far too long or none. */
const corrected = (at: number, headers: ResponseHeaders, now: number): number => {
  const date = textOf(headers["date"])
  if (date === "") return at
  const skew = now - serverTime(date)
  return Math.abs(skew) > skewMsMin ? at + skew : at
}

/** The answers of a second all bear one date, and an answer's headers may ask for it five times. */
let lastDate = { text: "", at: Number.NaN }

const serverTime = (text: string): number => {
  if (text !== lastDate.text) lastDate = { text, at: Date.parse(text) }
  return lastDate.at
}

const unitMs: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ns: 1e-6
}

/** `1h2m3.5s`, `6m0s`, `12ms`: numbers, each with its unit. Null for anything else. */
const durationMsOf = (text: string): number | null => {
  let totalMs = 0
  let at = 0
  // Every turn takes at least one character, or returns.
  while (at < text.length) {
    const numberFrom = at
    while (isDigitOrDot(text.charCodeAt(at))) at++
    const unitFrom = at
    while (at < text.length && !isDigitOrDot(text.charCodeAt(at))) at++
    const amount = unitFrom === numberFrom ? Number.NaN : Number(text.slice(numberFrom, unitFrom))
    const unit = unitMs[text.slice(unitFrom, at)]
    if (unit === undefined || Number.isNaN(amount)) return null
    totalMs += amount * unit
  }
  return totalMs
}

const isDigitOrDot = (code: number): boolean => (code >= 48 && code <= 57) || code === 46

/** A count that is 0 or more; null for anything else, and for no text. */
const countOf = (text: string): number | null => {
  if (text === "") return null
  const count = Number(text)
  return Number.isFinite(count) && count >= 0 ? count : null
}

const textOf = (value: string | string[] | undefined): string =>
  value === undefined ? "" : typeof value === "string" ? value.trim() : (value[0] ?? "").trim()
