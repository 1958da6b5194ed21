/** Provider batches as a run knows them. */
import type * as Effect from "effect/Effect"

import type { BatchStatus } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

/** A provider batch as the run knows it. */
export interface BatchRecord {
  /** From 1. */
  readonly batch: number
  readonly status: BatchStatus
  readonly engine: string
  readonly account: string
  readonly group: string
  readonly model: string
  readonly requests: number
  readonly bytes: number
  readonly reservedUsd: number
  readonly providerBatch: string | null
  readonly files: ReadonlyArray<string>
  readonly outcome: string | null
  readonly intendedAt: Date
}

export interface BatchMember {
  readonly seq: number
  readonly step: string
  readonly attempt: number
}

/** Items of one partition between two seqs, both included. */
export interface Span {
  readonly partition: number
  readonly firstSeq: number
  readonly lastSeq: number
}

/** What the work of a run needs of provider batches. All but replies is durable when it returns: those are with the change to `ingested`. */
export interface BatchLedger {
  readonly all: Effect.Effect<ReadonlyArray<BatchRecord>, StoreError>
  /** Written before anything is created: the batch and who is in it. */
  readonly intend: (batch: Omit<BatchRecord, "status" | "outcome">, members: ReadonlyArray<BatchMember>) => Effect.Effect<void, StoreError>
  readonly update: (
    batch: number,
    change: Partial<Pick<BatchRecord, "status" | "providerBatch" | "files" | "outcome">>
  ) => Effect.Effect<void, StoreError>
  /** Replaces what was ingested of the batch before: a download that was cut off is read again from the start. */
  readonly clearReplies: (batch: number) => Effect.Effect<void, StoreError>
  readonly addReplies: (batch: number, replies: ReadonlyArray<BatchMember & { readonly body: string }>) => Effect.Effect<void, StoreError>
  /** Where a batch's items are. */
  readonly spans: (batch: number) => Effect.Effect<ReadonlyArray<Span>, StoreError>
  /** Custom id of one request of the batch; members are in no order. */
  readonly oneMember: (batch: number) => Effect.Effect<BatchMember | null, StoreError>
  /** After its requests are settled: its replies go from the payload, and the deletion of the provider's files is noted. */
  readonly settle: (batch: number, removedAt: Date | null) => Effect.Effect<void, StoreError>
}

/** An item's request in a provider batch. */
export interface PriorBatch {
  readonly attempt: number
  readonly batch: number
  /** Whether its results are still to come. */
  readonly isLive: boolean
  /** The line of results as it came; null without one: a live batch, or a line that is missing. */
  readonly body: string | null
  /** The provider's own word for how the batch ended. */
  readonly outcome: string | null
  /** Batches before this one that the same call was in, with as many requests as this one: none of them got anything done. */
  readonly earlier: number
}
