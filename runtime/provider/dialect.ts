/** How one API is asked, and how its reply is read. Pure: no socket, no clock. */
import type { Model } from "../../dsl/index.ts"
import type { CallRequest } from "./provider.ts"
import type { ProviderReason } from "./provider-error.ts"
import { noUsage, type Usage } from "./usage.ts"

/** What was read of a reply with status 200: text that should be JSON, or why there is none. */
export type ReadReply = { readonly modelVersion: string | null; readonly usage: Usage } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "failed"; readonly reason: ProviderReason; readonly detail: string }
)

export interface Dialect {
  /** Behind the account's base URL. */
  readonly path: string
  /** Whose headers say the limits. */
  readonly limits: "openai" | "anthropic"
  readonly headers: (key: string | null) => Readonly<Record<string, string>>
  /** JSON text of the request's body. `tier` decides how long a cached prefix should live. */
  readonly body: (request: CallRequest, tier: "realtime" | "batch") => string
  readonly read: (json: unknown) => ReadReply
}

/** Fields of an unknown JSON value; anything else has none. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  // Any non-null object may be asked for its fields.
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

export const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null)

/** A count of tokens; 0 where none is said. */
export const countOf = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0)

export const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** 200 without a completion in the body (case 24). Where it says what it used, that is paid for all the same: whoever read it adds it. */
export const noAnswer = (json: unknown, detail: string): ReadReply => {
  const error = fieldsOf(fieldsOf(json)["error"])
  return {
    kind: "failed",
    reason: "no-answer",
    detail: textOf(error["message"]) ?? detail,
    modelVersion: textOf(fieldsOf(json)["model"]),
    usage: noUsage
  }
}

/** The author's further fields, as they stand in the body; empty text without any. */
export const furtherFields = ({ parameters }: Model): string => {
  if (parameters === undefined) return ""
  const known = further.get(parameters)
  if (known !== undefined) return known
  const inner = JSON.stringify(parameters).slice(1, -1)
  const text = inner === "" ? "" : `,${inner}`
  further.set(parameters, text)
  return text
}
const further = new WeakMap<object, string>()
