/** OpenAI's Batch API: a file of requests, a batch with metadata, two files of results. */
import { openAsBlob, statSync } from "node:fs"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Batch } from "openai/resources/batches"
import type { FileObject } from "openai/resources/files"

import type { BatchEngine, BatchIntent, BatchState } from "./batch-provider.ts"
import { downloadLines } from "./download.ts"
import { listedSince, lookTwice, skewMs, wholeList } from "./look-twice.ts"
import { openAiEndpoint, openAiLine, openAiReply } from "./openai-batch-line.ts"
import { openAiBatchState } from "./openai-batch-state.ts"
import { bytesPerMsMin, callOpenAi, ignoreGone, named, unlessEnded, type Caller } from "./sdk.ts"
import type { ProviderError } from "./provider-error.ts"

/** OpenAI's documented bounds of one batch. */
const limits = { requestsMax: 50_000, bytesMax: 200_000_000 }

/** The batches of one model's account. */
export const openAiBatches = (caller: Caller): BatchEngine => {
  const { accounts, model } = caller
  const stateOf = (batch: Batch): Effect.Effect<BatchState, ProviderError> =>
    Effect.map(named(model)(batch), (batch) => openAiBatchState(model, batch))
  const poll = (id: string) =>
    Effect.flatMap(
      callOpenAi(caller, (sdk, signal) => sdk.batches.retrieve(id, { signal })),
      stateOf
    )
  return {
    limits,
    groupOf: (model) => `${model.name} ${openAiEndpoint(model).path}`,
    lineOf: openAiLine,
    upload: (file, token) => upload(caller, file, token),
    create: ({ inputFile, intent, model }) =>
      Effect.flatMap(
        callOpenAi(caller, (sdk, signal) =>
          sdk.batches.create(
            {
              input_file_id: inputFile ?? "",
              endpoint: openAiEndpoint(model).path,
              completion_window: "24h",
              metadata: { nightshift: intent.token }
            },
            { signal }
          )
        ),
        stateOf
      ),
    find: (intent, claimed) =>
      lookTwice<BatchState>(
        Effect.flatMap(findBatch(caller, intent, claimed), (batch): Effect.Effect<BatchState | "none", ProviderError> =>
          batch === null ? Effect.succeed<BatchState | "none">("none") : stateOf(batch)
        ),
        // A batch can't be made of a file that is gone: a creation that arrives later than we look makes none.
        removeUploads(caller, intent)
      ),
    poll,
    cancel: (id) =>
      unlessEnded(
        callOpenAi(caller, (sdk, signal) => sdk.batches.cancel(id, { signal })),
        poll(id)
      ),
    results: ({ files }) =>
      Stream.flatMap(Stream.fromIterable(files), (file) =>
        downloadLines({
          model,
          timeoutMs: accounts.of(model).timeoutMs,
          open: (signal) => callOpenAi(caller, (sdk) => sdk.files.content(file, { signal }))
        })
      ),
    replyOf: openAiReply,
    remove: ({ files }) => Effect.forEach(files, (file) => removeFile(caller, file), { discard: true })
  }
}

/** Where the answer to an upload was lost, the file may be there all the same. */
const upload = Effect.fnUntraced(function* (caller: Caller, file: string, token: string): Effect.fn.Return<string, ProviderError> {
  const { accounts, model } = caller
  const { size } = statSync(file)
  const timeout = accounts.of(model).timeoutMs + Math.ceil(size / bytesPerMsMin)
  const startedAt = yield* Clock.currentTimeMillis
  const sent = callOpenAi(
    caller,
    async (sdk, signal) => {
      // Backed by the file: it is read as it is sent.
      const lines = new File([await openAsBlob(file)], nameOf(token))
      return sdk.files.create({ file: lines, purpose: "batch" }, { signal, timeout })
    },
    2 * timeout
  )
  const recovered = (error: ProviderError) =>
    Effect.flatMap(
      Effect.orElseSucceed(listUploads(caller, token, startedAt), () => []),
      (files) => {
        const whole = files.find(({ bytes }) => bytes === size)
        return whole === undefined ? Effect.fail(error) : Effect.succeed(whole)
      }
    )
  const { id } = yield* Effect.catchIf(Effect.flatMap(sent, named(model)), ({ isOutage }) => isOutage, recovered)
  return id
})

const nameOf = (token: string): string => `${token}.jsonl`

const listUploads = (caller: Caller, token: string, from: number): Effect.Effect<ReadonlyArray<FileObject>, ProviderError> =>
  callOpenAi(caller, (sdk, signal) =>
    listedSince(sdk.files.list({ purpose: "batch", limit: 1_000 }, { signal }), {
      since: from - skewMs,
      madeAt: ({ created_at }) => created_at * 1_000
    })
  ).pipe(
    Effect.flatMap(wholeList(caller.model)),
    Effect.map((files) => files.filter(({ filename }) => filename === nameOf(token)))
  )

/** By its name, or by the file that it was made of. One that did nothing counts where there is no other. */
const findBatch = (caller: Caller, { token, inputFile, intendedAt }: BatchIntent, claimed: ReadonlySet<string>) =>
  callOpenAi(caller, (sdk, signal) =>
    listedSince(sdk.batches.list({ limit: 100 }, { signal }), {
      since: intendedAt.getTime() - skewMs,
      madeAt: ({ created_at }) => created_at * 1_000
    })
  ).pipe(
    Effect.flatMap(wholeList(caller.model)),
    Effect.map((batches): Batch | null => {
      const ours = batches.filter(
        ({ id, metadata, input_file_id }) =>
          !claimed.has(id) && (metadata?.["nightshift"] === token || (inputFile !== null && input_file_id === inputFile))
      )
      return ours.find(({ status }) => status !== "failed") ?? ours[0] ?? null
    })
  )

/** Uploads of an intent that no batch was made of. */
const removeUploads = (caller: Caller, { token, inputFile, intendedAt }: BatchIntent): Effect.Effect<void, ProviderError> =>
  Effect.flatMap(listUploads(caller, token, intendedAt.getTime()), (files) =>
    Effect.forEach(new Set([...(inputFile === null ? [] : [inputFile]), ...files.map(({ id }) => id)]), (id) => removeFile(caller, id), {
      discard: true
    })
  )

const removeFile = (caller: Caller, file: string): Effect.Effect<void, ProviderError> =>
  ignoreGone(callOpenAi(caller, (sdk, signal) => sdk.files.delete(file, { signal })))
