/** What a reply that is no 2xx means: the same for calls, files, batches and lines of results. */
import { fieldsOf, textOf } from "./dialect.ts"
import type { ProviderReason } from "./provider-error.ts"

export interface Refusal {
  readonly reason: ProviderReason
  readonly detail: string
}

/**
 * Reads status and body (JSON, or whatever a proxy wrote) of both providers. `status` is null for what was said without one: the
 * failure of a whole batch, or of a line that never became a request.
 */
export const refusalOf = (status: number | null, body: unknown): Refusal => {
  const told = fieldsOf(body)["error"]
  const error = fieldsOf(told ?? body)
  const message = textOf(error["message"]) ?? textOf(told) ?? (typeof body === "string" ? body.slice(0, 500) : "")
  // Anthropic names the cause itself in the details, where there is more to say than the type.
  const codes = [textOf(fieldsOf(error["details"])["error_code"]), textOf(error["code"]), textOf(error["type"])].filter(
    (code) => code !== null
  )
  const head = [status, codes[0]].filter((part) => part !== null && part !== undefined).join(" ")
  return { reason: reasonOf(status, codes.join(" "), message), detail: [head, message].filter((part) => part !== "").join(": ") }
}

const reasonOf = (status: number | null, code: string, message: string): ProviderReason => {
  // An account without money says so with 429, 400 or 402, and with words that are nobody's own.
  if (status === 402 || noMoney.test(code) || /credit balance is too low|exceeded your current quota/i.test(message))
    return "quota-exhausted"
  if (status === 401 || /invalid_api_key|authentication_error/.test(code)) return "key-rejected"
  if (status === 403 || /permission_error|organization_on_hold/.test(code)) return "forbidden"
  if (/context_length_exceeded|request_too_large/.test(code) || status === 413 || tooLong.test(message)) return "context-too-long"
  if (/token_limit_exceeded|rate_limit|ramp_limit/.test(code) || status === 429 || /enqueued token limit/i.test(message))
    return "rate-limited"
  if (/overloaded/.test(code) || status === 529 || (status === 503 && /overload/i.test(message))) return "overloaded"
  if (/content_filter|content_policy/.test(code)) return "filtered"
  if (/model_not_found/.test(code) || (status === 404 && (/model/.test(code) || /model/i.test(message)))) return "model-missing"
  if (status === 408) return "timeout"
  if ((status !== null && status >= 500) || status === 409 || /server_error|api_error|timeout_error/.test(code)) return "server-error"
  return "invalid-request"
}

const noMoney = /insufficient_quota|billing_hard_limit|billing_error|billing_unavailable|credit_balance|spend_limit_reached/
const tooLong = /prompt is too long|maximum context length|context window/i
