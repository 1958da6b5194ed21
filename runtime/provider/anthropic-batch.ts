/** Anthropic's Message Batches: requests within the creation itself, no metadata, ids only in the results. */
import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

import { createAnthropicBatch } from "./anthropic-create.ts"
import { anthropicBatchState, anthropicLine, anthropicReply, requestsIn } from "./anthropic-batch-line.ts"
import type { BatchEngine, BatchIntent, BatchLine, BatchState } from "./batch-provider.ts"
import { downloadLines } from "./download.ts"
import type { HttpAgent } from "./http.ts"
import { listedSince, lookTwice, skewMs, wholeList } from "./look-twice.ts"
import type { ProviderError } from "./provider-error.ts"
import { callAnthropic, ignoreGone, named, unlessEnded, type Caller } from "./sdk.ts"

/** Anthropic's documented bounds of one batch; a little room is left for what stands around the requests. */
const limits = { requestsMax: 100_000, bytesMax: 255_000_000 }

/** The batches of one model's account. */
export const anthropicBatches = (agent: HttpAgent, caller: Caller): BatchEngine => {
  const { model } = caller
  const stateOf = (batch: MessageBatch): Effect.Effect<BatchState, ProviderError> => Effect.map(named(model)(batch), anthropicBatchState)
  const poll = (id: string) =>
    Effect.flatMap(
      callAnthropic(caller, (sdk, signal) => sdk.messages.batches.retrieve(id, {}, { signal })),
      stateOf
    )
  return {
    limits,
    groupOf: ({ name }) => name,
    lineOf: anthropicLine,
    upload: () => Effect.succeed(null),
    create: ({ file }) => Effect.flatMap(createAnthropicBatch(agent, caller, file), stateOf),
    find: (intent, claimed) => lookTwice(findBatch(caller, intent, claimed), Effect.void),
    poll,
    cancel: (id) =>
      unlessEnded(
        callAnthropic(caller, (sdk, signal) => sdk.messages.batches.cancel(id, {}, { signal })),
        poll(id)
      ),
    results: ({ providerBatch }) => results(caller, providerBatch),
    replyOf: anthropicReply,
    remove: ({ providerBatch }) =>
      providerBatch === ""
        ? Effect.void
        : ignoreGone(callAnthropic(caller, (sdk, signal) => sdk.messages.batches.delete(providerBatch, {}, { signal })))
  }
}

/** As the provider sent them: the SDK's own reader would parse each line for us to write it anew. */
const results = (caller: Caller, id: string): Stream.Stream<ReadonlyArray<BatchLine>, ProviderError> =>
  downloadLines({
    model: caller.model,
    timeoutMs: caller.accounts.of(caller.model).timeoutMs,
    open: (signal) =>
      callAnthropic(caller, (sdk) =>
        sdk
          .get(`/v1/messages/batches/${encodeURIComponent(id)}/results`, { signal, headers: { accept: "application/binary" } })
          .asResponse()
      )
  })

/** Only results tell whose a batch is: an unclaimed one of that time and size is awaited, then looked into. */
const findBatch = Effect.fnUntraced(function* (
  caller: Caller,
  { intendedAt, requests, probeId }: BatchIntent,
  claimed: ReadonlySet<string>
): Effect.fn.Return<BatchState | "none" | "unclear", ProviderError> {
  const batches = yield* callAnthropic(caller, (sdk, signal) =>
    listedSince(sdk.messages.batches.list({ limit: 100 }, { signal }), {
      since: intendedAt.getTime() - skewMs,
      madeAt: ({ created_at }) => Date.parse(created_at)
    })
  ).pipe(Effect.flatMap(wholeList(caller.model)))
  const candidates = batches.filter((batch) => !claimed.has(batch.id) && [null, requests].includes(requestsIn(batch)))
  for (const batch of candidates)
    if (batch.processing_status === "ended" && batch.results_url !== null && (yield* holds(caller, batch.id, probeId)))
      return anthropicBatchState(batch)
  return candidates.some(({ processing_status }) => processing_status !== "ended") ? "unclear" : "none"
})

/** Reads no further than the request that it looks for. */
const holds = (caller: Caller, id: string, probeId: string): Effect.Effect<boolean, ProviderError> =>
  Effect.map(
    Stream.runHead(Stream.filter(results(caller, id), (lines) => lines.some(({ customId }) => customId === probeId))),
    Option.isSome
  )
