/** Requests and tokens a minute, as token buckets, with what the vendors' headers say of them. */
import type { Faults } from "./faults.ts"
import type { Vendor } from "./problem.ts"

/** What the headers say where no limit is set: far above anything that a test sends. */
const boundless = { requests: 10_000_000, tokens: 10_000_000_000 }

export interface Admission {
  /** Ms until there is room; 0 is admitted. */
  readonly waitMs: number
  /** Which limit is met. */
  readonly unit: string
  readonly limit: number
  /** Names and values in turn, as node's `writeHead` takes them. */
  readonly headers: ReadonlyArray<string>
}

interface Bucket {
  readonly limit: number
  readonly perMs: number
  readonly size: number
  level: number
  at: number
}

const bucketOf = (perMinute: number, burstSeconds: number): Bucket | undefined => {
  if (perMinute === 0) return undefined
  const size = Math.max(1, (perMinute / 60) * burstSeconds)
  return { limit: perMinute, perMs: perMinute / 60_000, size, level: size, at: Date.now() }
}

/** A need above the bucket's size waits for a full bucket. */
const waitOf = (bucket: Bucket, need: number): number => Math.max(0, (Math.min(need, bucket.size) - bucket.level) / bucket.perMs)

/** As Go prints a duration: `12ms`, `1.5s`, `6m0s`. */
export const goDuration = (ms: number): string => {
  if (ms < 1000) return `${Math.ceil(ms)}ms`
  const seconds = Math.ceil(ms) / 1000
  if (seconds < 60) return `${Number(seconds.toFixed(3))}s`
  const whole = Math.ceil(seconds)
  const hours = Math.floor(whole / 3600)
  return `${hours > 0 ? `${hours}h` : ""}${Math.floor((whole % 3600) / 60)}m${whole % 60}s`
}

/** RFC 3339 in whole seconds, rounded up as Anthropic does. */
const rfc3339 = (ms: number): string => new Date(Math.ceil(ms / 1000) * 1000).toISOString().replace(".000Z", "Z")

const boundlessHeaders: Readonly<Record<Vendor, ReadonlyArray<string>>> = {
  openai: (["requests", "tokens"] as const).flatMap((unit) => {
    const limit = boundless[unit]
    const headers = ["limit", String(limit), "remaining", String(limit - 1), "reset", "1ms"]
    return headers.map((text, index) => (index % 2 === 0 ? `x-ratelimit-${text}-${unit}` : text))
  }),
  anthropic: ["requests", "tokens", "input-tokens", "output-tokens"].flatMap((unit) => {
    const limit = unit === "requests" ? boundless.requests : boundless.tokens
    const name = `anthropic-ratelimit-${unit}`
    return [`${name}-limit`, String(limit), `${name}-remaining`, String(limit - 1), `${name}-reset`, "2030-01-01T00:00:00Z"]
  })
}

/** Anthropic's `tokens` speaks of whichever of input and output has less left. */
const tightest = ({ "input-tokens": input, "output-tokens": output }: Readonly<Record<string, Bucket | undefined>>): Bucket | undefined =>
  input !== undefined && output !== undefined && output.level < input.level ? output : input

const headersOf = (vendor: Vendor, buckets: Readonly<Record<string, Bucket | undefined>>, now: number): ReadonlyArray<string> => {
  const headers: Array<string> = []
  for (const [unit, bucket] of Object.entries(vendor === "openai" ? buckets : { ...buckets, tokens: tightest(buckets) })) {
    if (bucket === undefined) continue
    const left = String(Math.max(0, Math.floor(bucket.level)))
    const fullInMs = (bucket.size - bucket.level) / bucket.perMs
    if (vendor === "openai") {
      headers.push(`x-ratelimit-limit-${unit}`, String(bucket.limit), `x-ratelimit-remaining-${unit}`, left)
      headers.push(`x-ratelimit-reset-${unit}`, goDuration(fullInMs))
    } else {
      const name = `anthropic-ratelimit-${unit}`
      headers.push(`${name}-limit`, String(bucket.limit), `${name}-remaining`, left, `${name}-reset`, rfc3339(now + fullInMs))
    }
  }
  return headers
}

/** The buckets of both vendors. */
export class RateLimits {
  readonly #buckets: Readonly<Record<Vendor, Readonly<Record<string, Bucket | undefined>>>>
  readonly #isBoundless: boolean

  constructor({ rpm, tpm, burstSeconds }: Faults["limits"]) {
    const bucket = (perMinute: number) => bucketOf(perMinute, burstSeconds)
    this.#isBoundless = rpm === 0 && tpm === 0
    this.#buckets = {
      openai: { requests: bucket(rpm), tokens: bucket(tpm) },
      anthropic: { requests: bucket(rpm), "input-tokens": bucket(tpm), "output-tokens": bucket(tpm) }
    }
  }

  /** Takes a request's share of every bucket, or none where one of them has no room. */
  admit(vendor: Vendor, inputTokens: number, maxTokens: number): Admission {
    if (this.#isBoundless) return { waitMs: 0, unit: "", limit: 0, headers: boundlessHeaders[vendor] }
    const now = Date.now()
    const buckets = this.#buckets[vendor]
    const needs: Readonly<Record<string, number>> = {
      requests: 1,
      tokens: inputTokens + maxTokens,
      "input-tokens": inputTokens,
      "output-tokens": maxTokens
    }
    let waitMs = 0
    let met = ""
    let limit = 0
    for (const [unit, bucket] of Object.entries(buckets)) {
      if (bucket === undefined) continue
      bucket.level = Math.min(bucket.size, bucket.level + (now - bucket.at) * bucket.perMs)
      bucket.at = now
      const wait = waitOf(bucket, needs[unit] ?? 0)
      if (wait <= waitMs) continue
      waitMs = wait
      met = unit
      limit = bucket.limit
    }
    if (waitMs === 0) {
      for (const [unit, bucket] of Object.entries(buckets)) if (bucket !== undefined) bucket.level -= needs[unit] ?? 0
    }
    return { waitMs: Math.ceil(waitMs), unit: met, limit, headers: headersOf(vendor, buckets, now) }
  }
}

/** When to come back, in the form that the faults ask for. */
export const retryAfterOf = (vendor: Vendor, { form, ms }: Faults["retryAfter"], waitMs: number): ReadonlyArray<string> => {
  const wait = ms >= 0 ? ms : waitMs
  const seconds = ["retry-after", String(Math.ceil(wait / 1000))]
  switch (form) {
    case "none":
      return []
    case "seconds":
      return seconds
    case "ms":
      return ["retry-after-ms", String(wait)]
    case "date":
      return ["retry-after", new Date(Date.now() + wait).toUTCString()]
    case "past-date":
      return ["retry-after", new Date(Date.now() - 60_000).toUTCString()]
    case "auto":
      return vendor === "openai" ? ["retry-after-ms", String(wait), ...seconds] : seconds
  }
}
