/** `state.duckdb`: the record of a run. No personal data: items are known by `item_id`, faults by codes (CHK-3). */
import type { ColumnType, Generated } from "kysely"

import type { Severity } from "./alert-record.ts"

/** Where an item ended at a terminal step, from best to worst. */
export type Disposition = "delivered" | "skipped" | "held" | "review" | "dead"

/** How an item left one step. */
export type CheckpointStatus = "answered" | "passed" | "deferred" | "skipped" | "held" | "review" | "dead"

/** `running` also stands in the file of a run whose process died; who reads it then sees that nobody holds the lock. */
export type RunStatus = "preparing" | "running" | "waiting" | "interrupted" | "cancelled" | "failed" | "done"

/** How a call was made; `reused` is one that wasn't. */
export type CallTier = "realtime" | "batch" | "reused"

/** A provider batch's way: an intent before anything is created; `dropped` where nothing was, and its requests are spooled again. */
export type BatchStatus = "intended" | "live" | "ended" | "ingested" | "settled" | "dropped"

/** What a run may wait for a person at. */
export const gateKindNames = ["budget", "failure-rate", "quality", "plan-changed", "release", "evaluation"] as const
export type GateKind = (typeof gateKindNames)[number]

/** `expired`: nobody decided in time, which counts as rejected. `withdrawn`: what it asked no longer arises, and counts for nothing. */
export type GateDecision = "approved" | "rejected" | "expired" | "withdrawn"

export type SampleDecision = "accepted" | "rejected"

type Instant = ColumnType<Date, Date, Date>

export interface StateTables {
  /** One row. */
  "state.run": {
    run: string
    job: string
    owner: string
    purpose: string
    classification: string
    consumers: string
    logical_time: Instant
    interval_start: Instant
    interval_end: Instant
    /** `--limit N`: never released. */
    item_limit: number | null
    status: RunStatus
    /** The error's text of a failed run, with keys and payload left out; null otherwise. */
    failure: string | null
    plan_digest: string
    plan: string
    budget_usd: number
    estimate_usd: number | null
    spent_usd: number
    job_module: string
    created_at: Instant
    sealed_at: Instant | null
    ended_at: Instant | null
    /** When outputs were released; null for trials and until then. */
    released_at: Instant | null
    /** JSON of the dispositions at close. */
    closing: string | null
    /** The run whose items this one takes up again, of a replay or of decisions at review; null for a run on its own. */
    origin: string | null
    /** Which revision of the outputs of `origin` (or its own, then 1) its release made; null until then. */
    revision: number | null
  }
  /** One row a process that worked on the run. */
  "state.sessions": {
    session: number
    code_version: string
    plan_digest: string
    pid: number
    started_at: Instant
    ended_at: Instant | null
  }
  "state.manifest": {
    seq: number
    item_id: string
    partition_no: number
    bytes: number
    weight: number
  }
  /** Rows set aside before the manifest; file, line and reason are in the payload, by `rejection`. */
  "state.rejections": {
    rejection: number
    code: string
    item_id: string | null
  }
  "state.partitions": {
    partition_no: number
    /** A tier's name, which the author wrote; a field's values stay in the payload. */
    label: string | null
    first_seq: number
    last_seq: number
    items: number
    weight: number
    bytes: number
    status: "waiting" | "leased" | "done"
    /** Grows with each lease: a commit of an older lease is refused. */
    epoch: number
    worker: number | null
    leased_at: Instant | null
    done_at: Instant | null
  }
  /** What was asked and by which versions: attempts name it by number, so that ten million rows stay small. */
  "state.variants": {
    variant: number
    step: string
    model: string
    model_version: string
    prompt_version: string
    code_version: string
  }
  /** The literals of each prompt version: with the item's body they give the exact request again. */
  "state.prompts": {
    prompt_version: string
    step: string
    shape: string
  }
  "state.attempts": {
    seq: number
    item_id: string
    attempt: number
    variant: number
    /** `answered`, or the code of what went wrong. */
    outcome: string
    request_digest: string
    started_at: Instant
    ms: number
    input_tokens: number
    output_tokens: number
    cost_usd: number | null
    confidence: number | null
    session: number
    commit_no: number
    cache_read_tokens: number
    cache_write_tokens: number
    /** Of `output_tokens`. */
    reasoning_tokens: number
    tier: CallTier
    /** What the batch tier, the provider's cache or an answer reused took off the full price; null where no price is known. */
    saved_usd: number | null
  }
  /** One row a session: what its calls may draw, committed before they do. */
  "state.money": {
    session: number
    granted_usd: number
    /** Set when the session ended by itself: all it drew is in `attempts`. */
    is_settled: boolean
  }
  /** Where the run waits, or waited, for a person. */
  "state.gates": {
    gate: string
    kind: GateKind
    /** JSON, without personal data. */
    detail: string
    opened_at: Instant
    decision: GateDecision | null
    decided_at: Instant | null
    decided_by: string | null
    add_usd: number | null
    /** Of older versions only: what people write is payload (`payload.gate_notes`). */
    note: string | null
    /** When it counts as rejected if nobody has decided; null in files from before gates expired. */
    expires_at: Instant | null
  }
  /** Delivered items that a person sees before the release. */
  "state.samples": {
    /** From 1. */
    position: number
    seq: number
    item_id: string
    drawn_at: Instant
  }
  /** What a person said of an item of the sample; the last one counts. */
  "state.sample_decisions": {
    seq: number
    item_id: string
    decision: SampleDecision
    decided_at: Instant
    decided_by: string
  }
  /** What people were told, once a kind: also after a restart it isn't told again. */
  "state.alerts": {
    kind: string
    detail: string
    raised_at: Instant
    /** With `text`: how it's told. Null for one that was only logged. */
    severity: Severity | null
    text: string | null
    /** What consumers are told of it; null where they aren't. */
    consumers_text: string | null
    opens_incident: boolean | null
  }
  /** What happened, for the timeline: workers more or less, pauses. */
  "state.events": {
    event: number
    kind: string
    detail: string
    happened_at: Instant
  }
  "state.batches": {
    batch: number
    status: BatchStatus
    engine: string
    account: string
    /** Requests with equal groups share a batch: the model and the endpoint. */
    batch_group: string
    model: string
    requests: number
    bytes: number
    /** The most that its requests may cost: held back from the budget until they are settled. */
    reserved_usd: number
    provider_batch: string | null
    /** JSON array of the provider's files that are to be deleted. */
    files: string
    /** The provider's own word for how it ended. */
    outcome: string | null
    intended_at: Instant
    created_at: Instant | null
    ended_at: Instant | null
    ingested_at: Instant | null
    /** When spool file and provider's files were deleted. */
    removed_at: Instant | null
  }
  /** Who is in which provider batch. */
  "state.batch_requests": {
    batch: number
    seq: number
    step: string
    attempt: number
  }
  "state.checkpoints": {
    seq: number
    item_id: string
    step: string
    partition_no: number
    worker: number
    status: CheckpointStatus
    /** On terminal steps only: what VAL-1 counts. */
    disposition: Disposition | null
    /** Why an item left the path: `rule`, `wrong-schema`, … ; null on the path. */
    code: string | null
    rule: string | null
    attempts: number
    /** Output location: the step of `payload.answers` that holds it for this seq; null without one. */
    answer_step: string | null
    completed_at: Instant
    session: number
    commit_no: number
  }
  /** An item given up on, at the step that did; what is needed to mend it is in the payload. */
  "state.dead_letters": Stopped
  /** An item that waits for a person. */
  "state.reviews": Stopped
  /** The retry queue, as it grew: a row whose step has no later attempt and no checkpoint still waits for a sweep. */
  "state.retries": {
    seq: number
    item_id: string
    /** The checkpointed step of the model. */
    step: string
    /** The number of the call that failed. */
    attempt: number
    code: string
    rule: string | null
    queued_at: Instant
    due_at: Instant
    commit_no: number
  }
  /** An advisory rule that an item broke. */
  "state.flags": {
    seq: number
    item_id: string
    step: string
    rule: string
    commit_no: number
  }
  /** One row a group commit, written last in it. */
  "state.commits": {
    commit_no: number
    committed_at: Instant
    items: number
  }
  /** Segments of Parquet: an intent row is written before the file, and marked done after it stands. */
  "state.published": {
    table_name: string
    segment: number
    from_commit: number
    to_commit: number
    done: boolean
  }
  /** One row a file that was exported to consumers; where it went is in the payload. */
  "state.exports": {
    export_no: number
    revision: number
    step: string
    format: string
    rows: number
    bytes: number
    sha256: string
    exported_at: Instant
  }
  "state.migrations": { version: number; applied_at: Generated<Date> }
}

interface Stopped {
  seq: number
  item_id: string
  step: string
  partition_no: number
  code: string
  rule: string | null
  attempts: number
  stopped_at: Instant
  commit_no: number
}

const stopped = `(seq bigint not null, item_id varchar not null, step varchar not null, partition_no integer not null, code varchar not null,
  rule varchar, attempts integer not null, stopped_at timestamptz not null, commit_no bigint not null)`

/** Forward only, never edited: a later version appends. No keys and no indexes: they would cost more than the rows. */
export const stateMigrations: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `create table state.run (run varchar not null, job varchar not null, owner varchar not null, purpose varchar not null, classification varchar not null,
      consumers varchar not null, logical_time timestamptz not null, interval_start timestamptz not null, interval_end timestamptz not null, item_limit bigint,
      status varchar not null, failure varchar, plan_digest varchar not null, plan varchar not null, budget_usd double not null, estimate_usd double,
      spent_usd double not null, job_module varchar not null, created_at timestamptz not null, sealed_at timestamptz, ended_at timestamptz,
      released_at timestamptz, closing varchar)`,
    `create table state.sessions (session integer not null, code_version varchar not null, plan_digest varchar not null, pid integer not null,
      started_at timestamptz not null, ended_at timestamptz)`,
    `create table state.manifest (seq bigint not null, item_id varchar not null, partition_no integer not null, bytes bigint not null, weight double not null)`,
    `create table state.rejections (rejection bigint not null, code varchar not null, item_id varchar)`,
    `create table state.partitions (partition_no integer not null, label varchar, first_seq bigint not null, last_seq bigint not null, items bigint not null,
      weight double not null, bytes bigint not null, status varchar not null, epoch integer not null, worker integer, leased_at timestamptz, done_at timestamptz)`,
    `create table state.variants (variant integer not null, step varchar not null, model varchar not null, model_version varchar not null,
      prompt_version varchar not null, code_version varchar not null)`,
    `create table state.prompts (prompt_version varchar not null, step varchar not null, shape varchar not null)`,
    `create table state.attempts (seq bigint not null, item_id varchar not null, attempt integer not null, variant integer not null, outcome varchar not null,
      request_digest varchar not null, started_at timestamptz not null, ms integer not null, input_tokens bigint not null, output_tokens bigint not null,
      cost_usd double, confidence double, session integer not null, commit_no bigint not null)`,
    `create table state.checkpoints (seq bigint not null, item_id varchar not null, step varchar not null, partition_no integer not null, worker integer not null,
      status varchar not null, disposition varchar, code varchar, rule varchar, attempts integer not null, answer_step varchar,
      completed_at timestamptz not null, session integer not null, commit_no bigint not null)`,
    `create table state.dead_letters ${stopped}`,
    `create table state.reviews ${stopped}`,
    `create table state.flags (seq bigint not null, item_id varchar not null, step varchar not null, rule varchar not null, commit_no bigint not null)`,
    `create table state.commits (commit_no bigint not null, committed_at timestamptz not null, items integer not null)`,
    `create table state.published (table_name varchar not null, segment integer not null, from_commit bigint not null, to_commit bigint not null, done boolean not null)`
  ],
  [
    `alter table state.attempts add column cache_read_tokens bigint default 0`,
    `alter table state.attempts add column cache_write_tokens bigint default 0`,
    `alter table state.attempts add column reasoning_tokens bigint default 0`,
    `alter table state.attempts add column tier varchar default 'realtime'`,
    `alter table state.attempts add column saved_usd double`,
    `create table state.money (session integer not null, granted_usd double not null, is_settled boolean not null)`,
    `create table state.gates (gate varchar not null, kind varchar not null, detail varchar not null, opened_at timestamptz not null, decision varchar,
      decided_at timestamptz, decided_by varchar, add_usd double, note varchar)`,
    `create table state.alerts (kind varchar not null, detail varchar not null, raised_at timestamptz not null)`,
    `create table state.batches (batch integer not null, status varchar not null, engine varchar not null, account varchar not null, batch_group varchar not null,
      model varchar not null, requests bigint not null, bytes bigint not null, reserved_usd double not null, provider_batch varchar, files varchar not null,
      outcome varchar, intended_at timestamptz not null, created_at timestamptz, ended_at timestamptz, ingested_at timestamptz, removed_at timestamptz)`,
    `create table state.batch_requests (batch integer not null, seq bigint not null, step varchar not null, attempt integer not null)`
  ],
  [
    `alter table state.alerts add column severity varchar`,
    `alter table state.alerts add column text varchar`,
    `alter table state.alerts add column consumers_text varchar`,
    `alter table state.alerts add column opens_incident boolean`,
    `create table state.events (event integer not null, kind varchar not null, detail varchar not null, happened_at timestamptz not null)`,
    `alter table state.run add column origin varchar`,
    `alter table state.run add column revision integer`,
    `create table state.retries (seq bigint not null, item_id varchar not null, step varchar not null, attempt integer not null, code varchar not null, rule varchar,
      queued_at timestamptz not null, due_at timestamptz not null, commit_no bigint not null)`,
    `alter table state.gates add column expires_at timestamptz`,
    `create table state.samples (position integer not null, seq bigint not null, item_id varchar not null, drawn_at timestamptz not null)`,
    `create table state.sample_decisions (seq bigint not null, item_id varchar not null, decision varchar not null, decided_at timestamptz not null,
      decided_by varchar not null)`,
    `create table state.exports (export_no integer not null, revision integer not null, step varchar not null, format varchar not null,
      rows bigint not null, bytes bigint not null, sha256 varchar not null, exported_at timestamptz not null)`
  ]
]
