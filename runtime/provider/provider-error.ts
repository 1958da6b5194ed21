/** Why a call gave no reply: one error with a reason that knows what to do. */
import * as Schema from "effect/Schema"

import { mask } from "./redaction.ts"
import { noUsage, type Usage } from "./usage.ts"

/**
 * What follows from a reason.
 * - `wait`: nobody's fault and not paid: the item stays in line, and no retry is used up.
 * - `retry`: another try may do better; tries are counted.
 * - `dead`: the same request can only fail again: the item is given up on.
 * - `stop`: no item can succeed until a person acts: the run stops, its items stay pending.
 */
export type Consequence = "wait" | "retry" | "dead" | "stop"

/** Every reason, with what follows from it. */
export const consequences = {
  /** 429 of a rate: requests or tokens a minute, or a batch queue that is full. */
  "rate-limited": "wait",
  /** 529, or 503 with a word of overload. */
  overloaded: "wait",
  /** Any other 5xx. */
  "server-error": "retry",
  timeout: "retry",
  /** The connection broke after something was sent. */
  connection: "retry",
  /** Nobody could be asked: no such host, no route, nothing listens there, no TLS. Nothing was sent. */
  unreachable: "retry",
  /** A function of the author's threw or failed. */
  "model-failed": "retry",
  /** A function of the author's did not come back in time. */
  hung: "dead",
  "not-json": "retry",
  /** 200 with no completion in the body, or an error in it (case 24). */
  "no-answer": "retry",
  /** The answer met `maxTokens` (case 26). */
  truncated: "retry",
  /** All of `maxTokens` went into reasoning (case 27). */
  "empty-after-reasoning": "retry",
  /** The provider's batch ended without a line for this request (case 7). */
  missing: "retry",
  /** The batch ended (expired, cancelled) before this request was worked on: not paid, not tried. */
  unprocessed: "wait",
  /** So did those that it was put into after that one. */
  "never-processed": "dead",
  refused: "dead",
  filtered: "dead",
  "context-too-long": "dead",
  /** Any other 4xx: the request itself is wrong. */
  "invalid-request": "dead",
  /** 401: re-read the key once, then stop. */
  "key-rejected": "stop",
  /** 403. */
  forbidden: "stop",
  /** `insufficient_quota`, a credit balance that is too low (cases 11, 23). */
  "quota-exhausted": "stop",
  "model-missing": "stop",
  /** A page was not found, has moved, or takes no such call: the base URL leads elsewhere. */
  "wrong-address": "stop"
} as const satisfies Readonly<Record<string, Consequence>>

export type ProviderReason = keyof typeof consequences

/** What the provider said of its limits with an answer, absolute in time. Null for what it didn't say. */
export interface LimitSignals {
  readonly requests: LimitSignal | null
  readonly tokens: LimitSignal | null
  /** Epoch ms before which nothing should be sent; from any form of Retry-After. */
  readonly retryAt: number | null
}

export interface LimitSignal {
  /** Allowed a minute. */
  readonly limit: number | null
  readonly remaining: number | null
  /** Epoch ms at which `remaining` is `limit` again. */
  readonly resetAt: number | null
}

const outages: ReadonlySet<ProviderReason> = new Set(["overloaded", "server-error", "timeout", "connection", "unreachable"])

/** `reason` goes to the metadata, `detail` and `raw` only to the payload. */
export class ProviderError extends Schema.TaggedError<ProviderError>()("ProviderError", {
  reason: Schema.Literals(Object.keys(consequences) as [ProviderReason, ...ReadonlyArray<ProviderReason>]),
  model: Schema.String,
  account: Schema.String,
  detail: Schema.String,
  /** What came instead of an answer, where something came: at most 64 KiB. */
  raw: Schema.NullOr(Schema.String),
  /** HTTP status; null where none came. */
  status: Schema.NullOr(Schema.Number),
  /** What it cost all the same: a truncated or unreadable answer is paid for. */
  usage: Schema.Any as unknown as Schema.Codec<Usage>,
  costUsd: Schema.NullOr(Schema.Number),
  modelVersion: Schema.NullOr(Schema.String),
  signals: Schema.Any as unknown as Schema.Codec<LimitSignals | null>
}) {
  get consequence(): Consequence {
    return consequences[this.reason]
  }
  /** Whether the provider itself is in trouble: what the circuit breaker counts. */
  get isOutage(): boolean {
    return outages.has(this.reason)
  }
  override get message(): string {
    return `Model ${this.model} (account ${this.account}): ${sentences[this.reason]}${this.detail === "" ? "" : `: ${this.detail}`}`
  }
}

/** Unless told, of a call that used nothing and said nothing of limits. A key that the other side repeats is masked (SEC-1). */
export const providerError = ({
  detail,
  raw = null,
  ...fields
}: Pick<ProviderError, "reason" | "model" | "account" | "detail"> &
  Partial<Pick<ProviderError, "raw" | "status" | "usage" | "costUsd" | "modelVersion" | "signals">>): ProviderError =>
  new ProviderError({
    status: null,
    usage: noUsage,
    costUsd: 0,
    modelVersion: null,
    signals: null,
    ...fields,
    detail: mask(detail),
    raw: raw === null ? null : mask(raw)
  })

const sentences: Readonly<Record<ProviderReason, string>> = {
  "rate-limited": "the rate limit is reached",
  overloaded: "the provider is overloaded",
  "server-error": "the provider failed",
  timeout: "no answer came in time",
  connection: "the connection broke",
  unreachable: "the server can't be reached",
  "model-failed": "the function failed",
  hung: "the function did not come back",
  "not-json": "the answer is no JSON",
  "no-answer": "the reply holds no answer",
  truncated: "the answer was cut off at maxTokens",
  "empty-after-reasoning": "all of maxTokens went into reasoning, and nothing was said",
  missing: "the provider's batch ended without this answer",
  unprocessed: "the provider's batch ended before this request was worked on",
  "never-processed": "batch after batch ended before this request was worked on",
  refused: "the model refused to answer",
  filtered: "the provider's content filter withheld the answer",
  "context-too-long": "the prompt is longer than the model can read",
  "invalid-request": "the provider refused the request",
  "key-rejected": "the key is not accepted",
  forbidden: "the key may not do this",
  "quota-exhausted": "the account has no money or quota left",
  "model-missing": "the provider doesn't know this model",
  "wrong-address": "there is no such API at this address"
}
