/** Anthropic's Message Batches: requests within the creation itself, no metadata, ids only in the results. */
import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createReadStream, statSync } from "node:fs"
import { Readable } from "node:stream"
import type { Agent } from "undici"

import type { Model } from "../../dsl/index.ts"
import type { Accounts } from "./accounts.ts"
import { anthropicMessages } from "./anthropic-messages.ts"
import type { BatchEngine, BatchIntent, BatchLine, BatchState } from "./batch-provider.ts"
import { fieldsOf, textOf } from "./dialect.ts"
import { send } from "./http.ts"
import { refusalOf } from "./http-reason.ts"
import type { Reply } from "./provider.ts"
import { providerError, type ProviderError } from "./provider-error.ts"
import { jsonOf, replyOf } from "./remote.ts"
import { anthropicClient, callSdk, sdkError } from "./sdk.ts"

/** Anthropic's documented bounds of one batch; a little room is left for what stands around the requests. */
const limits = { requestsMax: 100_000, bytesMax: 255_000_000 }
const listedMax = 1_000
/** Clocks differ. */
const skewMs = 10 * 60_000

/** The batches of one model's account. */
export const anthropicBatches = (agent: Agent, accounts: Accounts["Service"], model: Model): BatchEngine => {
  const client = anthropicClient(accounts, model)
  const call = <A>(work: Parameters<typeof callSdk<Effect.Success<typeof client>, A>>[2]) => callSdk(client, model, work)
  return {
    limits,
    groupOf: ({ name }) => name,
    lineOf: (request, customId) => `{"custom_id":${JSON.stringify(customId)},"params":${anthropicMessages.body(request, "batch")}}`,
    upload: () => Effect.succeed(null),
    create: ({ file, intent }) => create(agent, accounts, model, file, intent),
    find: (intent, claimed) => call((sdk, signal) => findBatch(sdk, intent, claimed, signal)),
    poll: (id) =>
      Effect.map(
        call((sdk, signal) => sdk.messages.batches.retrieve(id, {}, { signal })),
        stateOf
      ),
    cancel: (id) => Effect.asVoid(call((sdk, signal) => sdk.messages.batches.cancel(id, {}, { signal }))),
    results: ({ providerBatch }) =>
      Stream.unwrap(
        Effect.map(
          call((sdk, signal) => sdk.messages.batches.results(providerBatch, {}, { signal })),
          (decoder) =>
            Stream.fromAsyncIterable(decoder, (cause) => sdkError(model, cause)).pipe(
              Stream.map((line): BatchLine => ({ customId: line.custom_id, body: JSON.stringify(line) })),
              Stream.grouped(500)
            )
        )
      ),
    replyOf: (_, body) => Effect.flatMap(Clock.currentTimeMillis, (now) => readLine(model, body, new Date(now))),
    remove: ({ providerBatch }) =>
      providerBatch === ""
        ? Effect.void
        : Effect.catchIf(
            Effect.asVoid(call((sdk, signal) => sdk.messages.batches.delete(providerBatch, {}, { signal }))),
            ({ status }) => status === 404,
            () => Effect.void
          )
  }
}

/** The spool file's lines as the body of one request, read as it is sent: it may have 256 MB. */
const create = (agent: Agent, accounts: Accounts["Service"], model: Model, file: string, { requests }: BatchIntent) =>
  Effect.suspend(() => {
    const { key, baseUrl, timeoutMs } = accounts.of(model)
    const url = new URL(baseUrl)
    const opening = '{"requests":['
    const closing = "]}"
    // Each line but the last ends with a comma instead of its break.
    const bytes = opening.length + statSync(file).size - 1 + closing.length
    const sent = send(agent, {
      origin: url.origin,
      path: `${url.pathname.replace(/\/+$/, "")}/v1/messages/batches`,
      method: "POST",
      headers: { ...anthropicMessages.headers(key === null ? null : Redacted.value(key)), "content-length": String(bytes) },
      body: Readable.from(bodyOf(file, opening, closing, requests)),
      timeoutMs
    })
    const place = { model: model.name, account: model.account }
    return Effect.matchEffect(sent, {
      onFailure: ({ reason, detail }) => Effect.fail(providerError({ ...place, reason, detail })),
      onSuccess: ({ status, body }): Effect.Effect<BatchState, ProviderError> =>
        status >= 200 && status < 300
          ? // The provider's own words, in the shape that its SDK declares.
            Effect.succeed(stateOf(jsonOf(body) as MessageBatch))
          : Effect.fail(providerError({ ...place, ...refusalOf(status, jsonOf(body) ?? body), status }))
    })
  })

async function* bodyOf(file: string, opening: string, closing: string, requests: number): AsyncGenerator<Buffer> {
  yield Buffer.from(opening)
  let breaks = 0
  for await (const read of createReadStream(file, { highWaterMark: 256 * 1024 })) {
    const chunk: Buffer = read
    let last = -1
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
      chunk[at] = 44
      last = at
      breaks++
    }
    // The break behind the last line is left out.
    yield breaks === requests && last === chunk.length - 1 ? chunk.subarray(0, last) : chunk
  }
  yield Buffer.from(closing)
}

const stateOf = ({ id, processing_status, request_counts, cancel_initiated_at }: MessageBatch): BatchState => {
  const { succeeded, errored, canceled, expired } = request_counts
  return {
    providerBatch: id,
    status: processing_status === "ended" ? "ended" : "live",
    outcome:
      processing_status !== "ended"
        ? processing_status
        : expired > 0
          ? "expired"
          : cancel_initiated_at === null || canceled === 0
            ? "completed"
            : "cancelled",
    failure: null,
    completed: succeeded,
    failed: errored + canceled + expired,
    files: []
  }
}

/** Only results tell whose a batch is: an unclaimed one of that time is awaited, then looked into. */
const findBatch = async (
  sdk: Effect.Success<ReturnType<typeof anthropicClient>>,
  { intendedAt, requests, probeId }: BatchIntent,
  claimed: ReadonlySet<string>,
  signal: AbortSignal
): Promise<BatchState | "none" | "unclear"> => {
  let isUnclear = false
  let seen = 0
  for await (const batch of sdk.messages.batches.list({ limit: 100 }, { signal })) {
    if (++seen > listedMax || Date.parse(batch.created_at) < intendedAt.getTime() - skewMs) break
    const { processing, succeeded, errored, canceled, expired } = batch.request_counts
    if (claimed.has(batch.id) || processing + succeeded + errored + canceled + expired !== requests) continue
    if (batch.processing_status !== "ended") isUnclear = true
    else if (batch.results_url !== null && (await holds(sdk, batch.id, probeId, signal))) return stateOf(batch)
  }
  return isUnclear ? "unclear" : "none"
}

const holds = async (
  sdk: Effect.Success<ReturnType<typeof anthropicClient>>,
  id: string,
  probeId: string,
  signal: AbortSignal
): Promise<boolean> => {
  for await (const { custom_id } of await sdk.messages.batches.results(id, {}, { signal })) if (custom_id === probeId) return true
  return false
}

/** The statuses that the error types of a line stand for. */
const statusOfType: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529
}

const readLine = (model: Model, body: string, at: Date): Effect.Effect<Reply, ProviderError> => {
  const result = fieldsOf(fieldsOf(JSON.parse(body))["result"])
  if (result["type"] === "succeeded")
    return replyOf(model, anthropicMessages, { status: 200, json: result["message"], text: () => body, signals: null, tier: "batch", at })
  const place = { model: model.name, account: model.account, raw: body.slice(0, 65_536) }
  if (result["type"] !== "errored")
    return Effect.fail(providerError({ ...place, reason: "unprocessed", detail: textOf(result["type"]) ?? "" }))
  const type = textOf(fieldsOf(fieldsOf(result["error"])["error"])["type"]) ?? ""
  return Effect.fail(providerError({ ...place, ...refusalOf(statusOfType[type] ?? 400, result["error"]) }))
}
