/** OpenAI's Batch API: a file of requests, a batch with metadata, two files of results. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { openAsBlob } from "node:fs"
import type { Batch } from "openai/resources/batches"

import type { Model } from "../../dsl/index.ts"
import type { Accounts } from "./accounts.ts"
import type { BatchEngine, BatchIntent, BatchLine, BatchState } from "./batch-provider.ts"
import { fieldsOf, textOf } from "./dialect.ts"
import { refusalOf } from "./http-reason.ts"
import { linesOf } from "./lines.ts"
import { openAiChat } from "./openai-chat.ts"
import { openAiResponses } from "./openai-responses.ts"
import type { Reply } from "./provider.ts"
import { providerError, type ProviderError } from "./provider-error.ts"
import { replyOf } from "./remote.ts"
import { callSdk, openAiClient, sdkError } from "./sdk.ts"

/** OpenAI's documented bounds of one batch. */
const limits = { requestsMax: 50_000, bytesMax: 200_000_000 }
/** Batches and files looked through for one of ours: those of some days at most. */
const listedMax = 2_000
/** Clocks differ. */
const skewMs = 10 * 60_000

const endpointOf = ({ api }: Model): "/v1/chat/completions" | "/v1/responses" => (api === "chat" ? "/v1/chat/completions" : "/v1/responses")
const dialectOf = ({ api }: Model) => (api === "chat" ? openAiChat : openAiResponses)

/** The batches of one model's account. */
export const openAiBatches = (accounts: Accounts["Service"], model: Model): BatchEngine => {
  const client = openAiClient(accounts, model)
  const call = <A>(work: Parameters<typeof callSdk<Effect.Success<typeof client>, A>>[2]) => callSdk(client, model, work)
  const stateOf = (batch: Batch): BatchState => readState(model, batch)
  return {
    limits,
    groupOf: ({ name, api }) => `${name} ${endpointOf({ api } as Model)}`,
    lineOf: (request, customId) =>
      `{"custom_id":${JSON.stringify(customId)},"method":"POST","url":"${endpointOf(request.model)}","body":${dialectOf(request.model).body(request, "batch")}}`,
    upload: (file, token) =>
      Effect.map(
        call(async (sdk, signal) => {
          // Backed by the file: it is read as it is sent.
          const blob = await openAsBlob(file)
          return sdk.files.create({ file: new File([blob], `${token}.jsonl`), purpose: "batch" }, { signal })
        }),
        ({ id }) => id
      ),
    create: ({ inputFile, intent }) =>
      Effect.map(
        call((sdk, signal) =>
          sdk.batches.create(
            {
              input_file_id: inputFile ?? "",
              endpoint: endpointOf(model),
              completion_window: "24h",
              metadata: { nightshift: intent.token }
            },
            { signal }
          )
        ),
        stateOf
      ),
    find: (intent, claimed) =>
      call(async (sdk, signal) => {
        for await (const batch of bounded(sdk.batches.list({ limit: 100 }, { signal }))) {
          if (batch.created_at * 1_000 < intent.intendedAt.getTime() - skewMs) break
          if (batch.metadata?.["nightshift"] === intent.token && !claimed.has(batch.id) && !isVoid(batch)) return stateOf(batch)
        }
        await removeUploads(sdk, intent, signal)
        return "none" as const
      }),
    poll: (id) =>
      Effect.map(
        call((sdk, signal) => sdk.batches.retrieve(id, { signal })),
        stateOf
      ),
    cancel: (id) => Effect.asVoid(call((sdk, signal) => sdk.batches.cancel(id, { signal }))),
    results: ({ files }) => Stream.flatMap(Stream.fromIterable(files), (file) => download(accounts, model, file)),
    replyOf: (_, body) => Effect.flatMap(Clock.currentTimeMillis, (now) => readLine(model, body, new Date(now))),
    remove: ({ files }) =>
      Effect.forEach(files, (file) => ignoreGone(call((sdk, signal) => sdk.files.delete(file, { signal }))), { discard: true })
  }
}

/** A batch that did nothing and never will: created again, it has the same name. */
const isVoid = ({ status, output_file_id, error_file_id }: Batch): boolean =>
  status === "failed" && output_file_id == null && error_file_id == null

/** Uploads of an intent that no batch was made of. */
const removeUploads = async (
  sdk: Effect.Success<ReturnType<typeof openAiClient>>,
  { token }: BatchIntent,
  signal: AbortSignal
): Promise<void> => {
  for await (const file of bounded(sdk.files.list({ purpose: "batch", limit: 1_000 }, { signal })))
    if (file.filename === `${token}.jsonl`) await sdk.files.delete(file.id, { signal })
}

async function* bounded<A>(pages: AsyncIterable<A>): AsyncGenerator<A> {
  let seen = 0
  for await (const each of pages) {
    yield each
    if (++seen >= listedMax) return
  }
}

const ended: ReadonlySet<Batch["status"]> = new Set(["completed", "failed", "expired", "cancelled"])

const readState = (model: Model, batch: Batch): BatchState => {
  const { id, status, output_file_id, error_file_id, request_counts, errors } = batch
  const first = errors?.data?.[0]
  return {
    providerBatch: id,
    status: ended.has(status) ? "ended" : "live",
    outcome: status,
    failure:
      status === "failed"
        ? providerError({
            ...refusalOf(400, { error: { code: first?.code, message: first?.message } }),
            model: model.name,
            account: model.account
          })
        : null,
    completed: request_counts?.completed ?? 0,
    failed: request_counts?.failed ?? 0,
    files: [output_file_id, error_file_id].flatMap((file) => file ?? [])
  }
}

/** One file of results. A download that is cut off fails: what came is no whole. */
const download = (accounts: Accounts["Service"], model: Model, file: string): Stream.Stream<ReadonlyArray<BatchLine>, ProviderError> =>
  Stream.unwrap(
    Effect.map(
      callSdk(openAiClient(accounts, model), model, (sdk, signal) => sdk.files.content(file, { signal })),
      ({ body }) =>
        body === null
          ? Stream.empty
          : Stream.map(
              Stream.fromAsyncIterable(linesOf(body as unknown as AsyncIterable<Uint8Array>), (cause) => sdkError(model, cause)),
              (lines) => lines.flatMap(lineOfText)
            )
    )
  )

/** A line that is no JSON names nobody: its request will be found missing. */
const lineOfText = (text: string): ReadonlyArray<BatchLine> => {
  try {
    const customId = textOf(fieldsOf(JSON.parse(text))["custom_id"])
    return customId === null ? [] : [{ customId, body: text }]
  } catch {
    return []
  }
}

const readLine = (model: Model, body: string, at: Date): Effect.Effect<Reply, ProviderError> => {
  const line = fieldsOf(JSON.parse(body))
  const response = fieldsOf(line["response"])
  const status = response["status_code"]
  if (typeof status === "number")
    return replyOf(model, dialectOf(model), { status, json: response["body"], text: () => body, signals: null, tier: "batch", at })
  const error = fieldsOf(line["error"])
  const code = textOf(error["code"]) ?? ""
  const place = { model: model.name, account: model.account, raw: body.slice(0, 65_536) }
  if (/expired|cancel/.test(code)) return Effect.fail(providerError({ ...place, reason: "unprocessed", detail: code }))
  return Effect.fail(providerError({ ...place, ...refusalOf(400, { error }) }))
}

const ignoreGone = (removal: Effect.Effect<unknown, ProviderError>): Effect.Effect<void, ProviderError> =>
  Effect.catchIf(
    Effect.asVoid(removal),
    ({ status }) => status === 404,
    () => Effect.void
  )
