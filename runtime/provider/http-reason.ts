/** What a reply that is no 2xx means: the same for calls, files, batches and lines of results. */
import { fieldsOf, textOf } from "./dialect.ts"
import type { ProviderReason } from "./provider-error.ts"

export interface Refusal {
  readonly reason: ProviderReason
  readonly detail: string
}

/** Reads status and body (JSON, or whatever a proxy wrote) of both providers. */
export const refusalOf = (status: number, body: unknown): Refusal => {
  const error = fieldsOf(fieldsOf(body)["error"] ?? body)
  const message = textOf(error["message"]) ?? (typeof body === "string" ? body.slice(0, 500) : "")
  const code = textOf(error["code"]) ?? textOf(error["type"]) ?? ""
  const detail = `${status}${code === "" ? "" : ` ${code}`}${message === "" ? "" : `: ${message}`}`
  return { reason: reasonOf(status, `${code} ${textOf(error["type"]) ?? ""}`, message), detail }
}

const reasonOf = (status: number, code: string, message: string): ProviderReason => {
  // An account without money says so with 429, 400 or 402, and with words that are nobody's own.
  if (/insufficient_quota|billing_hard_limit|billing_error|credit_balance/.test(code) || /credit balance is too low/i.test(message))
    return "quota-exhausted"
  if (status === 402) return "quota-exhausted"
  if (status === 401 || /invalid_api_key|authentication_error/.test(code)) return "key-rejected"
  if (status === 403 || /permission_error/.test(code)) return "forbidden"
  if (/context_length_exceeded|request_too_large/.test(code) || status === 413 || tooLong.test(message)) return "context-too-long"
  if (/token_limit_exceeded|rate_limit/.test(code) || status === 429) return "rate-limited"
  if (/overloaded/.test(code) || status === 529 || (status === 503 && /overload/i.test(message))) return "overloaded"
  if (/content_filter|content_policy/.test(code)) return "filtered"
  if (status === 404 && (/model/.test(code) || /model/i.test(message))) return "model-missing"
  if (status === 408) return "timeout"
  if (status >= 500 || status === 409) return "server-error"
  return "invalid-request"
}

const tooLong = /prompt is too long|maximum context length|context window/i
