/** Provider batches of a run in memory. */
import * as Effect from "effect/Effect"

import type { BatchLedger, BatchMember, BatchRecord, PriorBatch } from "./batch-record.ts"
import type { PartitionRecord } from "./ledger.ts"
import type { StoreError } from "./store-error.ts"

interface DiskBatch {
  record: BatchRecord
  readonly members: ReadonlyArray<BatchMember>
  replies: ReadonlyArray<BatchMember & { readonly body: string }>
}

/** What a disk holds of provider batches, by number. */
export type DiskBatches = Map<number, DiskBatch>

type Do = <A>(work: () => A) => Effect.Effect<A, StoreError>

export const memoryBatches = (
  disk: { readonly batches: DiskBatches; readonly partitions: ReadonlyArray<PartitionRecord> },
  act: Do
): BatchLedger => {
  const change = (batch: number, next: (of: DiskBatch) => void): Effect.Effect<void, StoreError> =>
    act(() => {
      const found = disk.batches.get(batch)
      if (found !== undefined) next(found)
    })
  return {
    all: act(() => [...disk.batches.values()].map(({ record }) => record)),
    intend: (batch, members) =>
      act(() => void disk.batches.set(batch.batch, { record: { ...batch, status: "intended", outcome: null }, members, replies: [] })),
    update: (batch, changes) => change(batch, (of) => void (of.record = { ...of.record, ...changes })),
    clearReplies: (batch) => change(batch, (of) => void (of.replies = [])),
    addReplies: (batch, replies) => change(batch, (of) => void (of.replies = [...of.replies, ...replies])),
    spans: (batch) =>
      act(() =>
        disk.partitions.flatMap(({ partition, firstSeq, lastSeq }) => {
          const seqs = (disk.batches.get(batch)?.members ?? []).map(({ seq }) => seq).filter((seq) => seq >= firstSeq && seq <= lastSeq)
          return seqs.length === 0 ? [] : [{ partition, firstSeq: Math.min(...seqs), lastSeq: Math.max(...seqs) }]
        })
      ),
    oneMember: (batch) => act(() => disk.batches.get(batch)?.members[0] ?? null),
    settle: (batch) =>
      change(batch, (of) => {
        of.record = { ...of.record, status: "settled" }
        of.replies = []
      })
  }
}

/** What provider batches have, or had, of an item, by step. */
export const batchedOf = (batches: DiskBatches, seq: number): ReadonlyMap<string, PriorBatch> => {
  const byStep = new Map<string, PriorBatch>()
  const times = new Map<string, number>()
  for (const { record, members, replies } of batches.values()) {
    if (record.status === "dropped") continue
    for (const { step, attempt } of members.filter((member) => member.seq === seq)) {
      const call = `${step} ${attempt} ${record.requests}`
      const earlier = times.get(call) ?? 0
      times.set(call, earlier + 1)
      if (record.status === "settled") continue
      const reply = replies.findLast((each) => each.seq === seq && each.step === step && each.attempt === attempt)
      const isLive = record.status !== "ingested"
      byStep.set(step, { attempt, batch: record.batch, isLive, body: reply?.body ?? null, outcome: record.outcome, earlier })
    }
  }
  return byStep
}
