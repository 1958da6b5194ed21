/** Between an item's step and whoever answers it: what is paid, waited for, reused or put into a provider's batch is decided behind this seam. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import type { Provider, CallRequest, Reply } from "../provider/provider.ts"
import type { ProviderError } from "../provider/provider-error.ts"
import type { PriorBatch } from "../store/batch-record.ts"
import type { CallTier } from "../store/state-tables.ts"
import type { StoreError } from "../store/store-error.ts"

/** Whose call it is. */
export interface CallPlace {
  readonly seq: number
  readonly partition: number
  /** The checkpointed step of the model. */
  readonly step: string
  /** Of the rendered request: equal digests may share an answer. */
  readonly digest: string
  /** Whether an answer of an equal request will do: never for a try after a bad answer. */
  readonly mayReuse: boolean
  /** What a provider batch has, or had, of the item at this step. */
  readonly batched: PriorBatch | undefined
  /** Whoever asks can't wait for a provider's batch, whatever the model's tier. */
  readonly isUrgent?: boolean
}

/** `parked`: no answer in this pass. The item stays pending, and comes again when there is something new. */
export type Called =
  | {
      readonly kind: "called"
      readonly result: Result.Result<Reply, ProviderError>
      readonly tier: CallTier
      /** What tier, cache or reuse took off the full price: below 0 where writing to a cache cost more. Null where no price is known. */
      readonly savedUsd: number | null
      /** Whether the answer is as the step's schema stores it, not in the engine's dialect. */
      readonly isStored: boolean
    }
  | {
      readonly kind: "parked"
      /** Whether its request is in a provider's batch now. */
      readonly isBatched: boolean
    }

export interface Caller {
  readonly call: (request: CallRequest, place: CallPlace) => Effect.Effect<Called, StoreError>
  /**
   * Told what became of a first try and those after it: the answer that fits the schema, or null where there is none, or where a rule
   * refused it. Until then equal requests wait.
   */
  readonly judged: (digest: string, reply: Reply | null) => void
  /** Whether no further call will be answered in this pass: the rest of the items need not be looked at. */
  readonly isHalted: () => boolean
}

/** Calls the provider and nothing else: for embedded models, which cost nothing, and for trying a step. */
export const directCaller = (provider: Provider["Service"]): Caller => ({
  call: (request) =>
    Effect.map(Effect.result(provider.call(request)), (result) => ({
      kind: "called",
      result,
      tier: "realtime",
      savedUsd: 0,
      isStored: false
    })),
  judged: () => undefined,
  isHalted: () => false
})

/** No answer in this pass. */
export const parked: Called = { kind: "parked", isBatched: false }
/** No answer in this pass: the request is in a provider's batch. */
export const parkedInBatch: Called = { kind: "parked", isBatched: true }

/** An answer, and how it came. */
export const answered = (reply: Reply, tier: CallTier, savedUsd: number | null): Called => ({
  kind: "called",
  result: Result.succeed(reply),
  tier,
  savedUsd,
  isStored: false
})

/** An equal request's answer, and what it cost when it was given. */
export const reusedAnswer = (reply: Reply, savedUsd: number | null, isStored: boolean): Called => ({
  kind: "called",
  result: Result.succeed(reply),
  tier: "reused",
  savedUsd,
  isStored
})
