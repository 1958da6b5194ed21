/** The providers' own SDKs: for files, batches and lists, never for the hot path. Without their retries. */
import type Anthropic from "@anthropic-ai/sdk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type OpenAI from "openai"

import type { Model } from "../../dsl/index.ts"
import type { Accounts } from "./accounts.ts"
import { textOf, fieldsOf } from "./dialect.ts"
import { refusalOf } from "./http-reason.ts"
import { limitSignals, type ResponseHeaders } from "./limit-signals.ts"
import { mask } from "./redaction.ts"
import { providerError, type ProviderError } from "./provider-error.ts"

/** Whom a call is made for. */
export interface Caller {
  readonly accounts: Accounts["Service"]
  readonly model: Model
}

/** What an SDK is told of every client. Its log would show bodies, and other credentials of the environment aren't the account's. */
const optionsOf = ({ accounts, model }: Caller) => {
  const { key, baseUrl, timeoutMs } = accounts.of(model)
  // Both refuse to start without a key, which a server of one's own may not want.
  const apiKey = key === null ? "none" : Redacted.value(key)
  return { apiKey, baseURL: baseUrl, timeout: timeoutMs, maxRetries: 0, logLevel: "off" } as const
}

/** A transfer has as long as a call, and this much more for its bytes: a slow line is no fault, one that drips is. */
export const bytesPerMsMin = 50

/** Of a whole call, in its time limits: Anthropic's SDK counts only as far as the reply's headers, and a body may drip for ever. Lists have many pages. */
const callsMax = 10

/** Calls OpenAI's SDK, which is loaded (some 150 ms) when the first batch needs it. A client a call: the key may have been rotated. */
export const callOpenAi = <A>(
  caller: Caller,
  work: (sdk: OpenAI, signal: AbortSignal) => Promise<A>,
  timeoutMs = callsMax * caller.accounts.of(caller.model).timeoutMs
): Effect.Effect<A, ProviderError> =>
  withFreshKey(
    caller,
    Effect.flatMap(
      Effect.promise(() => import("openai")),
      ({ default: Client }) =>
        attempt(caller, timeoutMs, (signal) =>
          work(new Client({ ...optionsOf(caller), adminAPIKey: null, organization: null, project: null }), signal)
        )
    )
  )

/** Calls Anthropic's SDK, which is loaded (some 120 ms) when the first batch needs it. */
export const callAnthropic = <A>(
  caller: Caller,
  work: (sdk: Anthropic, signal: AbortSignal) => Promise<A>,
  timeoutMs = callsMax * caller.accounts.of(caller.model).timeoutMs
): Effect.Effect<A, ProviderError> =>
  withFreshKey(
    caller,
    Effect.flatMap(
      Effect.promise(() => import("@anthropic-ai/sdk")),
      ({ default: Client }) => attempt(caller, timeoutMs, (signal) => work(new Client(optionsOf(caller)), signal))
    )
  )

/** Reads the key again after a 401 and asks once more: a rotated key works without a restart (SEC-1). What was refused had no effect. */
export const withFreshKey = <A>({ accounts, model }: Caller, call: Effect.Effect<A, ProviderError>): Effect.Effect<A, ProviderError> =>
  Effect.suspend(() => {
    const { key } = accounts.of(model)
    if (key === null) return call
    return Effect.catchIf(
      call,
      ({ reason }) => reason === "key-rejected",
      (error) => Effect.flatMap(accounts.reread(model, key), (isChanged) => (isChanged ? call : Effect.fail(error)))
    )
  })

/** An interruption aborts the request, and so does a body that doesn't end. */
const attempt = <A>(
  { accounts, model }: Caller,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<A>
): Effect.Effect<A, ProviderError> =>
  Effect.timeoutOrElse(
    Effect.catch(Effect.tryPromise({ try: work, catch: (cause) => ({ cause }) }), ({ cause }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(placed(sdkError(model, cause, now), accounts.of(model).baseUrl)))
    ),
    {
      duration: timeoutMs,
      orElse: () =>
        Effect.fail(
          providerError({ model: model.name, account: model.account, reason: "timeout", detail: `no whole reply came in ${timeoutMs} ms` })
        )
    }
  )

/** Of a server that can't be reached the address is half of the news. */
const placed = (error: ProviderError, baseUrl: string): ProviderError =>
  error.reason === "unreachable" ? providerError({ ...error, detail: `${error.detail} (${baseUrl})` }) : error

/** What an SDK or its transport threw, as one of our reasons. */
export const sdkError = (model: Model, cause: unknown, now: number): ProviderError => {
  const place = { model: model.name, account: model.account }
  const thrown = fieldsOf(cause)
  const { status, headers, error } = thrown
  // Masked before any of it is cut off: half a key is no longer known for one.
  const message = mask(textOf(thrown["message"]) ?? String(cause))
  if (typeof status === "number") {
    // OpenAI's SDK unwraps the body's `error`, Anthropic's doesn't; of a body that is no JSON both keep the text behind the status.
    const body = fieldsOf(error)["error"] === undefined ? { error: error ?? { message: message.replace(/^\d{3} /, "") } } : error
    const told = headers instanceof Headers ? plainHeaders(headers) : {}
    const signals = limitSignals(told, now, model.engine === "anthropic" ? "anthropic" : "openai")
    return providerError({ ...place, ...refusalOf(status, body), status, signals })
  }
  const causes = [message, ...innerCauses(cause)]
  const isTimeout = causes.some((text) => /timed? ?out/i.test(text))
  // A reply that is no JSON although it says so: nobody knows what was done.
  if (cause instanceof SyntaxError) return providerError({ ...place, reason: "server-error", detail: `the reply is no JSON: ${message}` })
  const isUnreachable = causes.some((text) => unreachable.test(text))
  const reason = isUnreachable ? "unreachable" : isTimeout ? "timeout" : "connection"
  return providerError({ ...place, reason, detail: [...new Set(causes)].join(": ") })
}

/** Before a connection stands, nothing is sent. */
const unreachable = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ConnectTimeoutError|Connect Timeout/

const plainHeaders = (headers: Headers): ResponseHeaders => Object.fromEntries(headers)

/** What fetch hides behind "fetch failed". */
const innerCauses = (cause: unknown): ReadonlyArray<string> => {
  const texts: Array<string> = []
  let inner = fieldsOf(cause)["cause"]
  for (let depth = 0; depth < 5 && inner instanceof Error; depth++, inner = inner.cause)
    texts.push(inner.message === "" ? (textOf(fieldsOf(inner)["code"]) ?? inner.name) : inner.message)
  return texts
}

/** A reply that names no file or batch, such as a proxy's page, tells nothing: whether something was made is unclear. */
export const named =
  ({ name, account }: Model) =>
  <A extends { readonly id: string }>(reply: A): Effect.Effect<A, ProviderError> =>
    (textOf(fieldsOf(reply)["id"]) ?? "") === ""
      ? Effect.fail(providerError({ model: name, account, reason: "server-error", detail: "the reply names no file or batch" }))
      : Effect.succeed(reply)

/** What is gone already needs no removal. */
export const ignoreGone = (removal: Effect.Effect<unknown, ProviderError>): Effect.Effect<void, ProviderError> =>
  Effect.catchIf(
    Effect.asVoid(removal),
    ({ status }) => status === 404,
    () => Effect.void
  )

/** What has ended by itself needs no stop; the providers refuse one. */
export const unlessEnded = (
  stop: Effect.Effect<unknown, ProviderError>,
  poll: Effect.Effect<{ readonly status: "live" | "ended" }, ProviderError>
): Effect.Effect<void, ProviderError> =>
  Effect.catchIf(
    Effect.asVoid(stop),
    ({ status }) => status === 409 || status === 400,
    (error) => Effect.flatMap(poll, ({ status }) => (status === "ended" ? Effect.void : Effect.fail(error)))
  )
