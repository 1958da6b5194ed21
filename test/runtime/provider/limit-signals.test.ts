import { describe, expect, it } from "vitest"

import { limitSignals, type ResponseHeaders } from "../../../runtime/provider/limit-signals.ts"

/** 2026-11-02T01:00:00Z. */
const now = Date.UTC(2026, 10, 2, 1)
const later = (seconds: number): Date => new Date(now + seconds * 1000)
const openai = (headers: ResponseHeaders) => limitSignals(headers, now, "openai")
const anthropic = (headers: ResponseHeaders) => limitSignals(headers, now, "anthropic")
const nothing = { requests: null, tokens: null, retryAt: null }

describe("limits in an answer's headers", () => {
  it("[EXE-6] OpenAI's headers give the limit, what is left, and when it's whole again", () => {
    const headers = {
      "x-ratelimit-limit-requests": "5000",
      "x-ratelimit-remaining-requests": "4999",
      "x-ratelimit-reset-requests": "12ms",
      "x-ratelimit-limit-tokens": "160000",
      "x-ratelimit-remaining-tokens": "159976",
      "x-ratelimit-reset-tokens": "6m0s"
    }
    const signals = {
      requests: { limit: 5000, remaining: 4999, resetAt: now + 12 },
      tokens: { limit: 160_000, remaining: 159_976, resetAt: now + 360_000 },
      retryAt: null
    }
    expect(openai(headers)).toEqual(signals)
    expect(openai(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])))).toEqual(signals)
    expect(anthropic(headers), "another provider's headers say nothing").toBeNull()
  })

  it("[EXE-6] Anthropic's headers give the requests and the token kind with the smallest share left", () => {
    const kind = (unit: string, limit: number, remaining: number, seconds: number) => ({
      [`anthropic-ratelimit-${unit}-limit`]: String(limit),
      [`anthropic-ratelimit-${unit}-remaining`]: String(remaining),
      [`anthropic-ratelimit-${unit}-reset`]: later(seconds).toISOString()
    })
    const together = kind("tokens", 40_000, 36_000, 6)
    const input = kind("input-tokens", 30_000, 29_000, 2)
    const output = kind("output-tokens", 10_000, 7_000, 18)
    const requests = kind("requests", 50, 49, 1)
    expect(anthropic({ ...requests, ...together, ...input, ...output })).toEqual({
      requests: { limit: 50, remaining: 49, resetAt: now + 1000 },
      tokens: { limit: 10_000, remaining: 7_000, resetAt: now + 18_000 },
      retryAt: null
    })
    expect(anthropic({ ...input, ...together })?.tokens).toMatchObject({ limit: 40_000 })
    const full = [kind("tokens", 40_000, 40_000, 0), kind("input-tokens", 30_000, 30_000, 0), kind("output-tokens", 10_000, 10_000, 0)]
    expect(anthropic(Object.assign({}, ...full))?.tokens, "a tie is the sum's, which is what the rate counts").toMatchObject({
      limit: 40_000
    })
    const spent = { ...kind("input-tokens", 30_000, 0, 20), ...kind("output-tokens", 10_000, 0, 40) }
    expect(anthropic(spent)?.tokens, "of two that are spent, the one that stays so longer").toMatchObject({ resetAt: now + 40_000 })
    expect(openai({ ...requests, ...together }), "another provider's headers say nothing").toBeNull()
  })

  it.each([
    ["1s", 1000],
    ["6m0s", 360_000],
    ["1h2m3.5s", 3_723_500],
    ["12ms", 12],
    ["2m59.56s", 179_560],
    ["1d", 86_400_000],
    ["500µs", 0.5],
    ["0s", 0],
    ["7", 7000],
    ["0.25", 250],
    [later(90).toISOString(), 90_000],
    ["2026-11-02T02:00:30+01:00", 30_000],
    [String(now / 1000 + 45), 45_000],
    [String(now + 45_500), 45_500],
    [later(-30).toISOString(), -30_000]
  ])("[EXE-6] a reset of %s is known to the millisecond", (reset, afterMs) => {
    expect(openai({ "x-ratelimit-reset-requests": reset })?.requests?.resetAt).toBeCloseTo(now + afterMs, 6)
    expect(anthropic({ "anthropic-ratelimit-requests-reset": reset })?.requests?.resetAt).toBeCloseTo(now + afterMs, 6)
  })

  it.each(["", " ", "soon", "s", "5x", "1.2.3s", "m5", "-1s", "NaN", "Infinity", "-5"])(
    "[EXE-6] a reset, a count or a wait of %j is as good as none",
    (text) => {
      expect(
        openai({
          "x-ratelimit-limit-requests": text,
          "x-ratelimit-remaining-tokens": text,
          "x-ratelimit-reset-requests": text,
          "retry-after-ms": text
        })
      ).toBeNull()
    }
  )

  it("[EXE-6] an answer that says nothing of limits costs nothing to keep", () => {
    expect(openai({})).toBeNull()
    expect(anthropic({ "content-type": "application/json", date: later(0).toUTCString() })).toBeNull()
    expect(openai({ "x-ratelimit-limit-requests": undefined, "retry-after": [] })).toBeNull()
  })

  it("[EXE-6] a part of the headers gives a part of the signals", () => {
    expect(openai({ "x-ratelimit-remaining-tokens": "0" })).toEqual({
      ...nothing,
      tokens: { limit: null, remaining: 0, resetAt: null }
    })
    const unknown = { "anthropic-ratelimit-tokens-limit": "100", "anthropic-ratelimit-input-tokens-remaining": "0" }
    expect(anthropic(unknown)?.tokens, "nothing left is tighter than something unknown").toEqual({
      limit: null,
      remaining: 0,
      resetAt: null
    })
  })
})

describe("Retry-After", () => {
  it.each<[string, ResponseHeaders, number]>([
    ["1800 seconds", { "retry-after": "1800" }, 1_800_000],
    ["0 seconds", { "retry-after": "0" }, 0],
    ["60 seconds", { "retry-after": "60" }, 60_000],
    ["a part of a second", { "retry-after": "0.5" }, 500],
    ["250 milliseconds", { "retry-after-ms": "250" }, 250],
    ["milliseconds beside seconds, which are rounded", { "retry-after-ms": "250", "retry-after": "1" }, 250],
    ["unreadable milliseconds beside seconds", { "retry-after-ms": "soon", "retry-after": "3" }, 3000],
    ["an HTTP date", { "retry-after": later(120).toUTCString() }, 120_000],
    ["a past date", { "retry-after": later(-120).toUTCString() }, 0],
    ["a time below zero", { "retry-after": "-5" }, 0]
  ])("[EXE-6] [case 21] %s is heeded", (_, headers, waitMs) => {
    expect(openai(headers)).toEqual({ ...nothing, retryAt: now + waitMs })
    expect(anthropic(headers)).toEqual({ ...nothing, retryAt: now + waitMs })
  })

  it("[EXE-6] [case 21] what can't be read is no wait", () => {
    expect(openai({ "retry-after": "soon" })).toBeNull()
  })

  it("[EXE-6] [case 21] a date counts from the server's own clock where that differs from ours", () => {
    const fast = { "retry-after": later(3_660).toUTCString(), date: later(3_600).toUTCString() }
    expect(openai(fast)?.retryAt).toBe(now + 60_000)
    expect(openai({ "retry-after": fast["retry-after"] })?.retryAt, "without its clock there is only ours").toBe(now + 3_660_000)
    const slow = { "anthropic-ratelimit-requests-reset": later(-3_590).toISOString(), date: later(-3_600).toUTCString() }
    expect(anthropic(slow)?.requests?.resetAt).toBe(now + 10_000)
    const level = { "retry-after": later(60).toUTCString(), date: later(-1).toUTCString() }
    expect(openai(level)?.retryAt, "a second is the header's own rounding").toBe(now + 60_000)
    expect(openai({ "retry-after": "60", date: later(3_600).toUTCString() })?.retryAt, "seconds need no clock").toBe(now + 60_000)
  })
})
