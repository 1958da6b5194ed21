/** Refusals in the providers' own words: status, code and body of each. */
import type { FaultKind } from "./faults.ts"

export type Vendor = "openai" | "anthropic"

export interface Problem {
  readonly status: number
  readonly message: string
  /** OpenAI's `type`; default by the status. */
  readonly type?: string
  /** OpenAI's `code`. */
  readonly code?: string
  /** OpenAI's `param`. */
  readonly param?: string
}

const openaiTypes: Readonly<Record<number, string>> = {
  401: "invalid_request_error",
  429: "requests",
  500: "server_error",
  503: "server_error"
}

const anthropicTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  409: "conflict_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  503: "api_error",
  529: "overloaded_error"
}

/** The body of a refusal as JSON text. */
export const problemBody = (vendor: Vendor, { status, message, type, code, param }: Problem, requestId: string): string =>
  vendor === "anthropic"
    ? JSON.stringify({ type: "error", error: { type: anthropicTypes[status] ?? "invalid_request_error", message }, request_id: requestId })
    : JSON.stringify({
        error: { message, type: type ?? openaiTypes[status] ?? "invalid_request_error", param: param ?? null, code: code ?? null }
      })

/** A fault that is a refusal, in the vendor's words; undefined for faults that are answers or silence. */
export const problemOf = (vendor: Vendor, kind: FaultKind, model: string): Problem | undefined => {
  const isOpenAi = vendor === "openai"
  switch (kind) {
    case "500":
      return {
        status: 500,
        message: isOpenAi ? "The server had an error while processing your request. Sorry about that!" : "Internal server error"
      }
    case "503":
      return { status: 503, message: isOpenAi ? "That model is currently overloaded with other requests." : "Service unavailable" }
    case "529":
      return isOpenAi
        ? { status: 503, message: "The engine is currently overloaded, please try again later", type: "service_unavailable_error" }
        : { status: 529, message: "Overloaded" }
    case "401":
      return isOpenAi
        ? {
            status: 401,
            message: "Incorrect API key provided. You can find your API key in your account settings.",
            code: "invalid_api_key"
          }
        : { status: 401, message: "invalid x-api-key" }
    case "403":
      return isOpenAi
        ? { status: 403, message: "Country, region, or territory not supported", code: "unsupported_country_region_territory" }
        : { status: 403, message: "Your API key does not have permission to use the specified resource." }
    case "model-missing":
      return isOpenAi
        ? { status: 404, message: `The model \`${model}\` does not exist or you do not have access to it.`, code: "model_not_found" }
        : { status: 404, message: `model: ${model}` }
    case "context":
      return isOpenAi
        ? {
            status: 400,
            message: "Your input exceeds the context window of this model. Please adjust your input and try again.",
            param: "input",
            code: "context_length_exceeded"
          }
        : { status: 400, message: "prompt is too long: 250000 tokens > 200000 maximum" }
    case "quota":
      return isOpenAi
        ? {
            status: 429,
            message: "You exceeded your current quota, please check your plan and billing details.",
            type: "insufficient_quota",
            code: "insufficient_quota"
          }
        : {
            status: 400,
            message:
              "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."
          }
    case "filter":
      // OpenAI says it in the answer.
      return isOpenAi ? undefined : { status: 400, message: "Output blocked by content filtering policy" }
    default:
      return undefined
  }
}

/** A rate limit that is met: what the bucket is called, and how long until there is room. */
export const rateLimited = (vendor: Vendor, model: string, unit: string, limit: number, waitMs: number): Problem => {
  if (vendor === "anthropic") {
    const what = unit === "requests" ? "requests" : `${unit.replace("-tokens", "")} tokens`
    return { status: 429, message: `This request would exceed your organization's rate limit of ${limit} ${what} per minute.` }
  }
  const short = unit === "requests" ? "RPM" : "TPM"
  return {
    status: 429,
    message: `Rate limit reached for ${model} on ${unit} per min (${short}): Limit ${limit}. Please try again in ${waitMs}ms.`,
    type: unit,
    code: "rate_limit_exceeded"
  }
}
