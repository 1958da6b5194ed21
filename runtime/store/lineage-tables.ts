/** What analysts see of every run: tables of Parquet and one view. No personal data (CHK-3); each row says its run and job (GOV-1). */

import { identifier } from "./duck.ts"
import { timelineSql } from "./timeline-sql.ts"

/** Both ends belong to it. */
export interface RowRange {
  readonly from: number
  readonly to: number
}

export interface PublishedTable {
  readonly name: string
  /** After `run` and `job`, in the view's order. Later versions append and never change one: old segments stay. */
  readonly columns: ReadonlyArray<readonly [name: string, type: string]>
  /** The column that new rows only ever continue, by which segments are cut. Null: rows change, and a segment holds newer versions. */
  readonly cut: "commit_no" | "seq" | "rejection" | null
  /** What a row is known by within its run; only where rows change. */
  readonly key: ReadonlyArray<string>
  /** Where its rows are counted. */
  readonly of: string
  /** The rows of a range, from the run's own files. */
  readonly rows: (range: RowRange) => string
}

const text = "varchar"
const commits = ({ from, to }: RowRange): string => `commit_no between ${from} and ${to}`

/** The source step's columns of the plan. A query's or a stream's text may hold a credential, so it stays in the run's own file. */
const sourceOf = `select step->>'$.name' as source, step->>'$.format' as source_format,
    case when step->>'$.format' in ('sql', 'stream') then null
      when step->>'$.location' like '"%' then (step->>'$.location')::json->>'$' else step->>'$.location' end as source_location
  from (select unnest(from_json(plan->'$.steps', '["JSON"]')) as step from state.run) where step->>'$.kind' = 'source'`

const runs: PublishedTable = {
  name: "runs",
  columns: [
    ["owner", text],
    ["purpose", text],
    ["classification", text],
    ["consumers", "varchar[]"],
    ["source", text],
    ["source_format", text],
    ["source_location", text],
    ["logical_time", "timestamptz"],
    ["interval_start", "timestamptz"],
    ["interval_end", "timestamptz"],
    ["item_limit", "bigint"],
    ["status", text],
    ["failure", text],
    ["plan_digest", text],
    ["code_version", text],
    ["sessions", "integer"],
    ["budget_usd", "double"],
    ["estimate_usd", "double"],
    ["spent_usd", "double"],
    ["manifest", "bigint"],
    ["rejected", "bigint"],
    ["delivered", "bigint"],
    ["dead", "bigint"],
    ["review", "bigint"],
    ["held", "bigint"],
    ["skipped", "bigint"],
    ["created_at", "timestamptz"],
    ["sealed_at", "timestamptz"],
    ["ended_at", "timestamptz"],
    ["released_at", "timestamptz"],
    ["version", "integer"],
    ["deadline", "timestamptz"],
    ["envelope_usd", "double"],
    ["origin", text],
    ["revision", "integer"]
  ],
  cut: null,
  key: [],
  of: "state.run",
  rows: ({ from }) => `
    select * exclude (run, job, consumers), from_json(consumers, '["VARCHAR"]') as consumers,
      (select arg_max(code_version, session) from state.sessions) as code_version, (select count(*) from state.sessions) as sessions,
      case when sealed_at is not null then (select count(*) from state.manifest) end as manifest,
      case when sealed_at is not null then (select count(*) from state.rejections) end as rejected,
      closing->>'$.delivered' as delivered, closing->>'$.dead' as dead, closing->>'$.review' as review, closing->>'$.held' as held,
      closing->>'$.skipped' as skipped, ${from} as version,
      case when item_limit is null then created_at + to_milliseconds((plan->>'$.schedule.withinMs')::bigint) end as deadline,
      budget_usd + (select coalesce(sum(add_usd), 0) from state.gates where decision = 'approved') as envelope_usd
    from state.run left join (${sourceOf}) on true`
}

/** Each step of the plan, and each model of a cascade, which is a part of its infer. */
const steps: PublishedTable = {
  name: "steps",
  columns: [
    ["step", text],
    ["kind", text],
    ["reads", "varchar[]"],
    ["terminal", "boolean"],
    ["is_part", "boolean"],
    ["model", text],
    ["confidence_min", "double"],
    ["version", "integer"]
  ],
  cut: null,
  key: ["step"],
  of: "state.run",
  rows: ({ from }) => `
    with planned as (select unnest(from_json(plan->'$.steps', '["JSON"]')) as step from state.run),
    model as (select step->>'$.name' as infer, unnest(from_json(step->'$.models', '["JSON"]')) as model from planned where step->>'$.kind' = 'infer')
    select step->>'$.name' as step, step->>'$.kind' as kind, from_json(step->'$.reads', '["VARCHAR"]') as reads,
      (step->>'$.terminal')::boolean as terminal, false as is_part,
      (select string_agg(model->>'$.name', ', ') from model where infer = (step->>'$.name')) as model,
      (step->>'$.confidenceMin')::double as confidence_min, ${from} as version from planned
    union all select model->>'$.step', 'infer', [infer], false, true, model->>'$.name', null, ${from} from model where (model->>'$.step') <> infer`
}

const partitions: PublishedTable = {
  name: "partitions",
  columns: [
    ["partition_no", "integer"],
    ["label", text],
    ["first_seq", "bigint"],
    ["last_seq", "bigint"],
    ["items", "bigint"],
    ["weight", "double"],
    ["bytes", "bigint"],
    ["status", text],
    ["epoch", "integer"],
    ["worker", "integer"],
    ["leased_at", "timestamptz"],
    ["done_at", "timestamptz"],
    ["version", "integer"]
  ],
  cut: null,
  key: ["partition_no"],
  of: "state.partitions",
  rows: ({ from }) => `select *, ${from} as version from state.partitions where (select sealed_at from state.run) is not null`
}

const items: PublishedTable = {
  name: "items",
  columns: [
    ["item_id", text],
    ["seq", "bigint"],
    ["partition_no", "integer"],
    ["bytes", "bigint"],
    ["weight", "double"]
  ],
  cut: "seq",
  key: [],
  of: "state.manifest",
  rows: ({ from, to }) => `select * from state.manifest where seq between ${from} and ${to}`
}

const rejections: PublishedTable = {
  name: "rejections",
  columns: [
    ["rejection", "bigint"],
    ["code", text],
    ["item_id", text]
  ],
  cut: "rejection",
  key: [],
  of: "state.rejections",
  rows: ({ from, to }) => `select * from state.rejections where rejection between ${from} and ${to}`
}

const attempts: PublishedTable = {
  name: "attempts",
  columns: [
    ["item_id", text],
    ["seq", "bigint"],
    ["step", text],
    ["attempt", "integer"],
    ["model", text],
    ["model_version", text],
    ["prompt_version", text],
    ["code_version", text],
    ["outcome", text],
    ["request_digest", text],
    ["started_at", "timestamptz"],
    ["ms", "integer"],
    ["input_tokens", "bigint"],
    ["output_tokens", "bigint"],
    ["cost_usd", "double"],
    ["confidence", "double"],
    ["session", "integer"],
    ["commit_no", "bigint"],
    ["cache_read_tokens", "bigint"],
    ["cache_write_tokens", "bigint"],
    ["reasoning_tokens", "bigint"],
    ["tier", text],
    ["saved_usd", "double"]
  ],
  cut: "commit_no",
  key: [],
  of: "state.attempts",
  rows: (range) => `select * from state.attempts left join state.variants using (variant) where ${commits(range)}`
}

const checkpoints: PublishedTable = {
  name: "checkpoints",
  columns: [
    ["item_id", text],
    ["seq", "bigint"],
    ["step", text],
    ["partition_no", "integer"],
    ["worker", "integer"],
    ["status", text],
    ["disposition", text],
    ["code", text],
    ["rule", text],
    ["attempts", "integer"],
    ["answer_step", text],
    ["model", text],
    ["model_version", text],
    ["prompt_version", text],
    ["code_version", text],
    ["plan_digest", text],
    ["completed_at", "timestamptz"],
    ["session", "integer"],
    ["commit_no", "bigint"]
  ],
  cut: "commit_no",
  key: [],
  of: "state.checkpoints",
  // The answer that a checkpoint stands on is nearly always of the same commits. After a resume it may be an older one: only then is
  // the whole table looked through, for those items.
  rows: (range) => `
    with done as materialized (select * from state.checkpoints where ${commits(range)}),
    recent as materialized (select seq, step, attempt, variant from payload.answers where ${commits(range)}),
    missing as materialized (select seq, answer_step as step from done where answer_step is not null except select seq, step from recent),
    older as (select seq, step, attempt, variant from payload.answers semi join missing using (seq, step) where commit_no < ${range.from}),
    answer as (select seq, step as answer_step, arg_max(variant, attempt) as variant from (from recent union all from older) group by all)
    select done.*, model, model_version, prompt_version, coalesce(of.code_version, sessions.code_version) as code_version, plan_digest
    from done left join answer using (seq, answer_step) left join state.variants of using (variant) left join state.sessions sessions using (session)`
}

const stopColumns: PublishedTable["columns"] = [
  ["item_id", text],
  ["seq", "bigint"],
  ["step", text],
  ["partition_no", "integer"],
  ["code", text],
  ["rule", text],
  ["attempts", "integer"],
  ["stopped_at", "timestamptz"],
  ["commit_no", "bigint"]
]

const stops = (name: "dead_letters" | "reviews"): PublishedTable => ({
  name,
  columns: stopColumns,
  cut: "commit_no",
  key: [],
  of: `state.${name}`,
  rows: (range) => `select * from state.${name} where ${commits(range)}`
})

const retries: PublishedTable = {
  name: "retries",
  columns: [
    ["item_id", text],
    ["seq", "bigint"],
    ["step", text],
    ["attempt", "integer"],
    ["code", text],
    ["rule", text],
    ["queued_at", "timestamptz"],
    ["due_at", "timestamptz"],
    ["commit_no", "bigint"]
  ],
  cut: "commit_no",
  key: [],
  of: "state.retries",
  rows: (range) => `select * from state.retries where ${commits(range)}`
}

const flags: PublishedTable = {
  name: "flags",
  columns: [
    ["item_id", text],
    ["seq", "bigint"],
    ["step", text],
    ["rule", text],
    ["commit_no", "bigint"]
  ],
  cut: "commit_no",
  key: [],
  of: "state.flags",
  rows: (range) => `select * from state.flags where ${commits(range)}`
}

/** What was written for consumers; where, is in the payload. */
const exports: PublishedTable = {
  name: "exports",
  columns: [
    ["export_no", "integer"],
    ["revision", "integer"],
    ["step", text],
    ["format", text],
    ["rows", "bigint"],
    ["bytes", "bigint"],
    ["sha256", text],
    ["exported_at", "timestamptz"],
    ["version", "integer"]
  ],
  cut: null,
  key: ["revision", "export_no"],
  of: "state.exports",
  rows: ({ from }) => `select *, ${from} as version from state.exports`
}

/** Alerts, gates, pauses, more workers and fewer, and the run's own ends: each with its time. */
const timeline: PublishedTable = {
  name: "timeline",
  columns: [
    ["happened_at", "timestamptz"],
    ["kind", text],
    ["detail", text],
    ["text", text],
    ["moment", text],
    ["version", "integer"]
  ],
  cut: null,
  key: ["moment"],
  of: "state.events",
  rows: ({ from }) => `select *, ${from} as version from (${timelineSql})`
}

/**
 * In the order of publishing: an item stands before what refers to it, and a run or partition is shown as done only after all that it did.
 */
export const publishedTables: ReadonlyArray<PublishedTable> = [
  items,
  rejections,
  attempts,
  checkpoints,
  stops("dead_letters"),
  stops("reviews"),
  retries,
  flags,
  exports,
  steps,
  partitions,
  timeline,
  runs
]

/** A row an answer and a row an item and terminal step: from the source it came from to who consumes it (GOV-1). */
export const lineageView = `
  select done.run, done.job, done.item_id, done.seq, source, source_format, source_location, done.step, done.model, done.model_version,
    done.prompt_version, done.code_version, done.status, done.disposition, done.code, done.rule, done.attempts, done.answer_step,
    done.completed_at, logical_time, done.plan_digest, owner, purpose, classification, consumers, item_limit is not null as trial, released_at
  from checkpoints done left join runs on runs.run = done.run
  where done.status = 'answered' or done.disposition is not null`

/** A query as the rows of a table: each column with the type that all its segments have. `from` is a query over the run's own files. */
export const typedRows = (columns: PublishedTable["columns"], from: string): string =>
  `select (select run from state.run)::varchar as run, (select job from state.run)::varchar as job, ${columns
    .map(([name, type]) => `${identifier(name)}::${storedType(type)} as ${identifier(name)}`)
    .join(", ")} from (${from})`

/** No rows, all columns: a glob that finds nothing would be an error to every reader. */
export const noRows = (columns: PublishedTable["columns"]): string =>
  `select null::varchar as run, null::varchar as job, ${columns.map(([name, type]) => `null::${storedType(type)} as ${identifier(name)}`).join(", ")} where false`

/** JSON is text in the files, and cast in the views: DuckDB 1.0 and later ones read Parquet's JSON as different types. */
const storedType = (type: string): string => (type === "json" ? "varchar" : type)
