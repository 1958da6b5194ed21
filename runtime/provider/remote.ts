/** The realtime engines: a dialect, an account's key, one request over the wire. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

import type { Model } from "../../dsl/index.ts"
import type { Accounts } from "./accounts.ts"
import { callTimeoutMs } from "./call-timeout.ts"
import { answerJson } from "./answer-json.ts"
import { anthropicMessages } from "./anthropic-messages.ts"
import type { Dialect, ReadReply } from "./dialect.ts"
import { send, type HttpAgent } from "./http.ts"
import { refusalOf } from "./http-reason.ts"
import { limitSignals } from "./limit-signals.ts"
import { compatibleChat, openAiChat } from "./openai-chat.ts"
import { openAiResponses } from "./openai-responses.ts"
import { costUsd } from "./price.ts"
import { Provider, type CallRequest, type Reply } from "./provider.ts"
import { providerError, type LimitSignals, type ProviderError } from "./provider-error.ts"
import { mask, maskJson } from "./redaction.ts"

/** How a model is asked; null for an embedded one. */
export const dialectOf = ({ engine, api }: Model): Dialect | null => {
  if (engine === "anthropic") return anthropicMessages
  if (engine === "openai") return api === "chat" ? openAiChat : openAiResponses
  return engine === "openai-compatible" ? compatibleChat : null
}

export interface RemoteOptions {
  readonly agent: HttpAgent
  readonly accounts: Accounts["Service"]
  /** Answers for embedded models. */
  readonly local: Provider["Service"]
}

/** Calls every engine. A key that is rejected is read again once: a rotated one works without a restart (SEC-1). */
export const remoteProvider = ({ agent, accounts, local }: RemoteOptions): Effect.Effect<Provider["Service"]> =>
  Effect.map(Clock.Clock, (clock) => {
    const now = (): number => clock.currentTimeMillisUnsafe()
    const call = (request: CallRequest): Effect.Effect<Reply, ProviderError> => {
      const { model } = request
      const dialect = dialectOf(model)
      if (dialect === null) return local.call(request)
      // The key that this call goes out with: by the time it is rejected another call may have read a new one.
      const key: { sent: Redacted.Redacted<string> | null } = { sent: null }
      const asked = ask({ agent, accounts, request, dialect, now, onKey: (sent) => void (key.sent = sent) })
      return Effect.catchIf(
        asked,
        ({ reason }) => reason === "key-rejected" && key.sent !== null,
        (error) =>
          Effect.flatMap(key.sent === null ? Effect.succeed(false) : accounts.reread(model, key.sent), (isChanged) =>
            isChanged ? asked : Effect.fail(error)
          )
      )
    }
    return Provider.of({ call })
  })

interface Ask extends Omit<RemoteOptions, "local"> {
  readonly request: CallRequest
  readonly dialect: Dialect
  readonly now: () => number
  readonly onKey: (sent: Redacted.Redacted<string> | null) => void
}

const ask = ({ agent, accounts, request, dialect, now, onKey }: Ask): Effect.Effect<Reply, ProviderError> =>
  Effect.suspend(() => {
    const { model } = request
    const account = accounts.of(model)
    const { baseUrl, key } = account
    const { origin, prefix } = placeOf(baseUrl)
    onKey(key)
    const name = { model: model.name, account: model.account }
    const sent = send(agent, {
      origin,
      path: prefix + dialect.path,
      method: "POST",
      headers: dialect.headers(key === null ? null : Redacted.value(key)),
      body: dialect.body(request, "realtime"),
      timeoutMs: callTimeoutMs(account, request.maxTokens)
    })
    return Effect.matchEffect(sent, {
      onFailure: ({ reason, detail, wasSent }) =>
        Effect.fail(
          wasSent
            ? // It may have been worked on: nobody knows what it cost.
              providerError({ ...name, reason, detail, costUsd: null })
            : providerError({ ...name, reason: "unreachable", detail: `${detail} (${baseUrl})` })
        ),
      onSuccess: ({ status, headers, body }) => {
        const signals = limitSignals(headers, now(), dialect.limits)
        const reply = { status, json: jsonOf(body) ?? body, text: () => body, signals, tier: "realtime", at: new Date(now()) } as const
        return Effect.mapError(replyOf(model, dialect, reply), (error) => unlessAstray(error, baseUrl + dialect.path))
      }
    })
  })

/** A 404 that is not about the model, a redirect, a page that takes no POST: not the item is at fault but the base URL, and so it is for all of them. */
const unlessAstray = (error: ProviderError, url: string): ProviderError => {
  const { status, reason } = error
  if (reason !== "invalid-request" || status === null) return error
  const isAstray = status === 404 || status === 405 || (status >= 300 && status < 400)
  return isAstray ? providerError({ ...error, reason: "wrong-address", detail: `${error.detail} (POST ${url})` }) : error
}

/** A reply as it came: of a call, or in a line of a batch's results. */
export interface WireReply {
  readonly status: number
  /** Parsed; the text itself where it is no JSON. */
  readonly json: unknown
  /** What is kept of a reply that is no answer. */
  readonly text: () => string
  readonly signals: LimitSignals | null
  readonly tier: "realtime" | "batch"
  /** When it was given: prices change. */
  readonly at: Date
}

/** What a reply says: success is a 2xx and a completion in the body. A key that it repeats is masked, however it was escaped (SEC-1). */
export const replyOf = (
  model: Model,
  dialect: Dialect,
  { status, json: told, text, signals, tier, at }: WireReply
): Effect.Effect<Reply, ProviderError> => {
  const name = { model: model.name, account: model.account }
  if (status < 200 || status > 299)
    return Effect.fail(providerError({ ...name, ...refusalOf(status, maskJson(told)), raw: cut(text()), status, signals }))
  const read = maskedRead(dialect, told)
  const paid = { modelVersion: read.modelVersion, usage: read.usage, costUsd: costUsd(model, read.usage, tier, at) }
  if (read.kind === "failed")
    return Effect.fail(providerError({ ...name, ...paid, reason: read.reason, detail: read.detail, raw: cut(text()), status, signals }))
  const answer = answerJson(read.text)
  if ("fault" in answer)
    return Effect.fail(providerError({ ...name, ...paid, reason: "not-json", detail: answer.fault, raw: cut(read.text), status, signals }))
  return Effect.succeed({
    ...paid,
    output: maskJson(answer.value),
    raw: answer.repaired ? read.text : null,
    repaired: answer.repaired,
    modelVersion: read.modelVersion ?? model.name,
    signals
  })
}

/** Of a completion only what is read of it can get anywhere: the rest of the body, which may be long, is left alone. */
const maskedRead = (dialect: Dialect, told: unknown): ReadReply => {
  const read = dialect.read(told)
  if (read.kind === "failed") return dialect.read(maskJson(told))
  return { ...read, text: mask(read.text), modelVersion: read.modelVersion === null ? null : mask(read.modelVersion) }
}

/** A base URL's origin, and the path in front of the API's own. */
const placeOf = (baseUrl: string): { readonly origin: string; readonly prefix: string } => {
  const known = places.get(baseUrl)
  if (known !== undefined) return known
  const url = new URL(baseUrl)
  const place = { origin: url.origin, prefix: url.pathname.replace(/\/+$/, "") }
  places.set(baseUrl, place)
  return place
}
const places = new Map<string, { readonly origin: string; readonly prefix: string }>()

export const jsonOf = (body: string): unknown => {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return null
  }
}

/** What is kept of a reply that is no answer. */
const cut = (body: string): string => mask(body).slice(0, 65_536)
