/** `state.duckdb`: the record of a run. No personal data: items are known by `item_id`, faults by codes (CHK-3). */
import type { ColumnType, Generated } from "kysely"

/** Where an item ended at a terminal step, from best to worst. */
export type Disposition = "delivered" | "skipped" | "held" | "review" | "dead"

/** How an item left one step. */
export type CheckpointStatus = "answered" | "passed" | "deferred" | "skipped" | "held" | "review" | "dead"

/** `running` also stands in the file of a run whose process died; who reads it then sees that nobody holds the lock. */
export type RunStatus = "preparing" | "running" | "interrupted" | "cancelled" | "failed" | "done"

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
  ]
]
