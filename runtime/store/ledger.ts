/** The record of one run: what is to be done, what is done, and what it came to. Two implementations, one contract. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

import type { AlertLedger } from "./alert-record.ts"
import type { BatchLedger, PriorBatch } from "./batch-record.ts"
import type { Costs } from "./costs.ts"
import type { CallTier, CheckpointStatus, Disposition, GateDecision, GateKind, RunStatus } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

/** What a run is begun with. */
export interface RunStart {
  readonly run: string
  readonly job: string
  readonly owner: string
  readonly purpose: string
  readonly classification: string
  readonly consumers: ReadonlyArray<string>
  readonly logicalTime: Date
  readonly interval: { readonly start: Date; readonly end: Date }
  readonly itemLimit: number | null
  readonly planDigest: string
  /** Canonical JSON. */
  readonly plan: string
  readonly budgetUsd: number
  /** What the run was expected to cost; null where a model has no known price. */
  readonly estimateUsd: number | null
  readonly jobModule: string
  /** JSON of the decoded parameters; goes to the payload. */
  readonly params: string
  /** The closed run whose items it takes up again; its manifest is then what `linked-file.ts` wrote, not the source. */
  readonly origin?: string
}

/** One process's work on the run. */
export interface SessionStart {
  readonly codeVersion: string
  readonly planDigest: string
  readonly pid: number
}

export interface RunRecord extends RunStart {
  readonly status: RunStatus
  /** Whether the manifest is durable: before that nothing was paid, and it is built anew. */
  readonly sealed: boolean
  readonly session: number
  readonly createdAt: Date
}

/** An item on its way into the manifest. `ordinal` is its place in the input. */
export interface StagedItem {
  readonly key: string
  readonly body: string | null
  /** JSON of a `BodyReference`. */
  readonly reference: string | null
  readonly bytes: number
  readonly weight: number
  /** What `by` or the tiers said; empty for the other strategies. */
  readonly label: string
  readonly file: string
  readonly line: number | null
}

export interface StagedRejection {
  readonly code: string
  readonly reason: string
  readonly excerpt: string
  readonly key: string | null
  readonly file: string
  readonly line: number | null
}

/** Items of one label, as staged: what the layout of partitions is computed from. */
export interface StagedGroup {
  readonly label: string
  readonly items: number
  readonly weight: number
}

/** How many partitions each label gets, and how its items are spread over them. */
export interface Layout {
  readonly spread: "hash" | "weight"
  readonly groups: ReadonlyArray<{ readonly label: string; readonly partitions: number }>
  /** Whether labels are words of the author's (tiers) rather than data. */
  readonly labelsArePublic: boolean
}

export interface ManifestSummary {
  readonly items: number
  readonly rejected: number
  readonly partitions: number
}

export interface PartitionRecord {
  readonly partition: number
  readonly label: string | null
  readonly firstSeq: number
  readonly lastSeq: number
  readonly items: number
  readonly weight: number
  /** Of the items' bodies. */
  readonly bytes: number
  readonly isDone: boolean
}

/** An item that isn't finished, with what earlier work left of it. */
export interface PendingItem {
  readonly seq: number
  readonly itemId: string
  readonly key: string
  readonly body: string | null
  readonly reference: string | null
  /** Checkpoints already durable, by step. */
  readonly checkpoints: ReadonlyMap<string, PriorCheckpoint>
  /** Durable answers of steps without a checkpoint, the last of each: a rule refused them, and the next answer wasn't durable yet. */
  readonly refused: ReadonlyMap<string, PriorAnswer>
  /** Durable calls by step: tries go on counting behind them. */
  readonly tried: ReadonlyMap<string, PriorTries>
  /** What a provider batch has of the item, or had: by step, the last attempt. */
  readonly batched: ReadonlyMap<string, PriorBatch>
  /** Steps whose last call is to be made again, by the model's step. */
  readonly queued: ReadonlyMap<string, PriorRetry>
  /** What the item of a linked run comes with. */
  readonly given?: GivenAnswers
}

/** Answers that no model is asked for: those of the origin, and a person's. */
export interface GivenAnswers {
  /** By infer. */
  readonly answers: ReadonlyMap<string, PriorAnswer>
  /** Validates whose `review` rules a person has answered. */
  readonly waived: ReadonlySet<string>
}

/** Calls of an item at a step, in all sessions so far. */
export interface PriorTries {
  /** The number of the last one. */
  readonly last: number
  /** How many met their bound of tokens: the next one gets more room. */
  readonly cutOff: number
}

/** A place in the retry queue. */
export interface PriorRetry {
  /** The number of the call that failed. */
  readonly attempt: number
  readonly code: string
  /** Epoch ms before which it isn't made again. */
  readonly dueAt: number
  /** What was wrong with the answer, and the answer; null where none came. */
  readonly problem: { readonly message: string; readonly raw: string } | null
}

/** Outcomes of calls whose answer met its bound of tokens. */
export const cutOffOutcomes: ReadonlyArray<string> = ["truncated", "empty-after-reasoning"]

export interface PriorAnswer {
  readonly attempt: number
  /** JSON text. */
  readonly output: string
  /** Who gave it; its `shape` is empty, for the file has it already. */
  readonly variant: Variant | null
}

export interface PriorCheckpoint {
  readonly status: CheckpointStatus
  readonly code: string | null
  readonly rule: string | null
  readonly attempts: number
  readonly answerStep: string | null
  /** JSON text of the answer at `answerStep`; null without one. */
  readonly output: string | null
  /** Who gave it; its `shape` is empty, for the file has it already. */
  readonly variant: Variant | null
}

/** Who asked what: one value a combination, shared by all its attempts. */
export interface Variant {
  readonly step: string
  readonly model: string
  readonly modelVersion: string
  readonly promptVersion: string
  readonly codeVersion: string
  /** JSON of the prompt's shape. */
  readonly shape: string
}

export interface AttemptRecord {
  readonly variant: Variant
  readonly attempt: number
  readonly outcome: string
  readonly requestDigest: string
  readonly startedAt: Date
  readonly ms: number
  readonly tier: CallTier
  readonly inputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
  readonly costUsd: number | null
  /** What the batch tier, the provider's cache or reuse took off the full price; null where no price is known. */
  readonly savedUsd: number | null
  readonly confidence: number | null
}

export interface CheckpointRecord {
  readonly step: string
  readonly status: CheckpointStatus
  readonly disposition: Disposition | null
  readonly code: string | null
  readonly rule: string | null
  readonly attempts: number
  readonly answerStep: string | null
}

export interface AnswerRecord {
  readonly step: string
  readonly attempt: number
  readonly variant: Variant
  readonly output: string
  readonly raw: string | null
}

export interface ProblemRecord {
  readonly step: string
  readonly attempt: number
  readonly code: string
  readonly message: string
  readonly raw: string | null
}

export interface StopRecord {
  readonly kind: "dead" | "review"
  readonly step: string
  readonly code: string
  readonly rule: string | null
  readonly attempts: number
}

/** A call that failed, or an answer that was refused, and is asked for again. */
export interface RetryRecord {
  /** The checkpointed step of the model. */
  readonly step: string
  /** The number of the call that failed. */
  readonly attempt: number
  readonly code: string
  /** The rule that refused the answer; null where no rule did. */
  readonly rule: string | null
  readonly dueAt: Date
}

/** What came of one item since its last settlement: committed whole or not at all. */
export interface Settlement {
  readonly seq: number
  readonly itemId: string
  readonly partition: number
  readonly worker: number
  readonly completedAt: Date
  readonly attempts: ReadonlyArray<AttemptRecord>
  readonly checkpoints: ReadonlyArray<CheckpointRecord>
  readonly answers: ReadonlyArray<AnswerRecord>
  readonly problems: ReadonlyArray<ProblemRecord>
  readonly stops: ReadonlyArray<StopRecord>
  readonly retries: ReadonlyArray<RetryRecord>
  readonly flags: ReadonlyArray<{ readonly step: string; readonly rule: string }>
  /** Set when this settles the item: its worst disposition over all terminal steps. */
  readonly finished: Disposition | null
}

/** An answer that reached a step, for aggregates. */
export interface StepRow {
  readonly seq: number
  readonly key: string
  readonly body: string | null
  readonly reference: string | null
  readonly output: string
  readonly model: string
  readonly attempt: number
}

export interface Completeness {
  readonly rowsRead: number
  readonly rejected: number
  readonly manifest: number
  readonly dispositions: Readonly<Record<Disposition, number>>
  readonly flagged: number
  /** Ids of items without exactly one disposition at each terminal step, at most 100. */
  readonly gaps: ReadonlyArray<string>
  readonly holds: boolean
}

/** What a run may spend, and what it has. */
export interface Money {
  /** The budget, and what people added at gates. */
  readonly envelopeUsd: number
  /** Costs of durable attempts, over all sessions. */
  readonly spentUsd: number
  /** Granted to sessions that a kill cut off, and found in no durable attempt: counted as spent. */
  readonly uncertainUsd: number
  /** The most that provider batches may cost whose requests aren't all settled. */
  readonly batchUsd: number
}

export interface GateRecord {
  /** `<run>.<number>` */
  readonly gate: string
  readonly kind: GateKind
  /** JSON, without personal data. */
  readonly detail: string
  readonly openedAt: Date
  /** When it counts as rejected if nobody has decided; null for never. */
  readonly expiresAt: Date | null
  readonly decision: GateDecision | null
  readonly addUsd: number | null
}

/** Counts kept while the run goes on; `committed` is what a kill can't take back. */
export interface Tally extends Costs {
  readonly manifest: number
  readonly committed: number
  readonly inFlight: number
  readonly dispositions: Readonly<Record<Disposition, number>>
  /** Why writes wait (a full disk); null when they don't. */
  readonly trouble: string | null
}

export interface LedgerShape extends AlertLedger {
  /**
   * Opens a session: a new run, or a further process on one whose manifest may be sealed. What a kill left half-done is undone, and a gate at
   * which nobody decided in time is marked as expired.
   */
  readonly begin: (start: RunStart, session: SessionStart) => Effect.Effect<RunRecord, StoreError>
  /** Adds rows to the manifest that is being built; a key seen before becomes a rejection that names both rows. */
  readonly stage: (items: ReadonlyArray<StagedItem>, rejections: ReadonlyArray<StagedRejection>) => Effect.Effect<void, StoreError>
  /** Lays out partitions and makes the manifest durable: only then may money be spent. */
  readonly seal: (layout: (groups: ReadonlyArray<StagedGroup>) => Layout) => Effect.Effect<ManifestSummary, StoreError>
  readonly partitions: Effect.Effect<ReadonlyArray<PartitionRecord>, StoreError>
  readonly lease: (partition: number, worker: number) => Effect.Effect<void, StoreError>
  /** After all its items are durable. */
  readonly finish: (partition: number) => Effect.Effect<void, StoreError>
  /** Unfinished items with `from ≤ seq ≤ to`, in order. At most 2,000 seqs a call. */
  readonly pending: (from: number, to: number) => Effect.Effect<ReadonlyArray<PendingItem>, StoreError>
  /** Queues a settlement for the next group commit; waits while 1,000 items or 8 MB are uncommitted. */
  readonly settle: (settlement: Settlement) => Effect.Effect<void, StoreError>
  /** Returns once everything settled so far is durable. */
  readonly flush: Effect.Effect<void, StoreError>
  readonly tally: Effect.Effect<Tally>
  readonly money: Effect.Effect<Money, StoreError>
  /** Lets this session's calls draw `usd` in all; durable when it returns. */
  readonly grant: (usd: number) => Effect.Effect<void, StoreError>
  /** Opens a gate, or finds the one of that kind that is open. It expires after the time that the plan gives it. */
  readonly openGate: (kind: GateKind, detail: unknown) => Effect.Effect<GateRecord, StoreError>
  /** Closes the open gate of a kind, if there is one: what it asked no longer arises. */
  readonly withdrawGate: (kind: GateKind) => Effect.Effect<void, StoreError>
  readonly gates: Effect.Effect<ReadonlyArray<GateRecord>, StoreError>
  readonly batches: BatchLedger
  readonly completeness: Effect.Effect<Completeness, StoreError>
  /** Answers that reached `step`, in the manifest's order. */
  readonly rows: (step: string) => Stream.Stream<ReadonlyArray<StepRow>, StoreError>
  /** Runs an aggregate's query over the answers of `step`. Fails on a ledger without SQL. */
  readonly query: (step: string, query: (db: unknown) => unknown) => Effect.Effect<ReadonlyArray<unknown>, StoreError>
  readonly saveSummary: (step: string, values: unknown) => Effect.Effect<void, StoreError>
  readonly saveReport: (step: string, text: string) => Effect.Effect<void, StoreError>
  /**
   * Ends this session with the run's status; `done` also ends the run. `drawnUsd` is what its calls drew on what was granted: what of that
   * no durable attempt tells of stays uncertain. Without it, everything that was granted may have been spent.
   */
  readonly close: (status: RunStatus, failure: string | null, drawnUsd?: number | null) => Effect.Effect<void, StoreError>
}

export class Ledger extends Context.Service<Ledger, LedgerShape>()("nightshift/Ledger") {}
