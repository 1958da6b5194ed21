/** Providers' Batch APIs behind one interface: half the price, up to a day. Bedrock, Azure and Vertex can join here. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

import type { Model } from "../../dsl/index.ts"
import type { CallRequest, Reply } from "./provider.ts"
import type { ProviderError } from "./provider-error.ts"

/** What one provider batch may hold. */
export interface BatchLimits {
  readonly requestsMax: number
  readonly bytesMax: number
}

/** What finds a batch again whose creation was unclear: the run's own token, and who is in it. */
export interface BatchIntent {
  /** Unique: `<run>.<batch number>`. Stands in the provider's metadata where there is metadata. */
  readonly token: string
  readonly requests: number
  /** When the intent was written. */
  readonly intendedAt: Date
  /** The custom id of one of its requests: tells whose an unnamed batch is by its results. */
  readonly probeId: string
  /** The provider's id of the uploaded file, where one was stored. */
  readonly inputFile: string | null
}

/** What the provider says of a batch now. */
export interface BatchState {
  readonly providerBatch: string
  /** `live` until nothing more will come; then `ended`, whatever came of it. */
  readonly status: "live" | "ended"
  /** The provider's own word: completed, expired, cancelled, failed, … */
  readonly outcome: string
  /** Set where the batch as a whole failed (a bad file, a full queue, an account fault). */
  readonly failure: ProviderError | null
  readonly completed: number
  readonly failed: number
  /** Files that hold results, to be deleted after ingest; empty where results have no files of their own. */
  readonly files: ReadonlyArray<string>
}

/** One line of a batch's results. */
export interface BatchLine {
  readonly customId: string
  /** JSON text of the line's reply or error as the provider sent it: kept in the payload until it is judged. */
  readonly body: string
}

export interface BatchEngine {
  readonly limits: BatchLimits
  /** Requests that may share a batch have equal keys: the model, and the endpoint. */
  readonly groupOf: (model: Model) => string
  /** One request as a line of the spool file, without a line break. */
  readonly lineOf: (request: CallRequest, customId: string) => string
  /** Hands the spool file to the provider under the name `<token>.jsonl`; null where creation takes the file's lines itself. */
  readonly upload: (file: string, token: string) => Effect.Effect<string | null, ProviderError>
  /** Creates the batch. A `timeout`, `connection` or `server-error` leaves it unclear whether it was: `find` tells. */
  readonly create: (spool: {
    readonly file: string
    readonly inputFile: string | null
    readonly intent: BatchIntent
    readonly model: Model
  }) => Effect.Effect<BatchState, ProviderError>
  /**
   * The batch of an intent whose creation was unclear, `none` if there is none, or `unclear` where only results can tell and an
   * unclaimed batch of that time is still live. `claimed` are provider ids that belong to other intents.
   */
  readonly find: (intent: BatchIntent, claimed: ReadonlySet<string>) => Effect.Effect<BatchState | "none" | "unclear", ProviderError>
  readonly poll: (providerBatch: string) => Effect.Effect<BatchState, ProviderError>
  /** Asks for a stop; results of what was done still come, and `poll` says when it has ended. */
  readonly cancel: (providerBatch: string) => Effect.Effect<void, ProviderError>
  /** All lines of an ended batch, of both files where there are two, in any order. A cut-off download fails: it is read again from the start. */
  readonly results: (state: BatchState) => Stream.Stream<ReadonlyArray<BatchLine>, ProviderError>
  /** What a line says. Never retries; a line with status 400, no completion or an error is a failure (cases 5, 24). */
  readonly replyOf: (model: Model, body: string) => Effect.Effect<Reply, ProviderError>
  /** Deletes files and, where the provider keeps them, the batch's results. What is gone already is fine; an empty `providerBatch` names none. */
  readonly remove: (what: { readonly providerBatch: string; readonly files: ReadonlyArray<string> }) => Effect.Effect<void, ProviderError>
}

export class BatchProvider extends Context.Service<
  BatchProvider,
  {
    /** Null where the engine has no batch tier. */
    readonly engineOf: (model: Model) => BatchEngine | null
  }
>()("nightshift/BatchProvider") {}
