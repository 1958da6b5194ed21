/** What people decided, and what became of stopped items since their runs closed: views over published files, as `lineage` is. */
import * as path from "node:path"

import { quoted } from "./duck.ts"
import type { PublishedTable } from "./lineage-tables.ts"

/** Of `decisions`, after `run` and `job`: published from `control.duckdb`, a file a command. */
export const decisionColumns: PublishedTable["columns"] = [
  ["item_id", "varchar"],
  ["decision", "bigint"],
  ["decided_at", "timestamptz"],
  ["decided_by", "varchar"],
  ["action", "varchar"],
  ["cause", "varchar"],
  ["linked_run", "varchar"]
]

/** A line a look or decision: many small appends, which Parquet isn't made for. */
export const accessLogFile = (analytics: string): string => path.join(analytics, "access_log.jsonl")

export const accessLogView = (analytics: string): string => `
  select * from read_json(${quoted(accessLogFile(analytics))}, format = 'newline_delimited', ignore_errors = true, columns = {entry: 'bigint', logged_at: 'timestamptz',
    who: 'varchar', action: 'varchar', run: 'varchar', items: 'bigint', selection: 'varchar', reason: 'varchar'})`

/**
 * What holds of each item of each run that anybody decided about. A linked run that ended with the item held back did nothing with it,
 * so that the decision that began it is void.
 */
const saidOf = `
    select run, item_id, arg_max(cause, decision) filter (action = 'annotate') as cause, bool_or(action = 'annotate') as is_annotated,
      bool_or(action = 'discard') as is_discarded, bool_or(action = 'reject') as is_rejected,
      arg_max(action, decision) filter (linked_run is not null) as linked_action, arg_max(linked_run, decision) as linked_run,
      arg_max(decided_by, decision) as decided_by, max(decided_at) as decided_at
    from decisions anti join (
      select run as linked_run, item_id from checkpoints where disposition = 'held' and run in (select run from runs where origin is not null and held > 0)
    ) held on held.linked_run = decisions.linked_run and held.item_id = decisions.item_id
    group by run, item_id`

/** Every dead letter with what was decided about it; an answer that a person rejected at review is one too. */
const dlqView = `
  with said as (${saidOf}),
  letters as (
    select run, job, item_id, seq, step, partition_no, code, rule, attempts, stopped_at from dead_letters
    union all
    select run, job, item_id, seq, step, partition_no, 'rejected', rule, attempts, decided_at
    from reviews join said using (run, item_id) where is_rejected
  )
  select coalesce(runs.origin, letters.run) as origin, letters.*, cause,
    case when is_discarded then 'discarded' when linked_run is not null then 'replayed' when is_annotated then 'annotated' else 'open' end as status,
    linked_run, decided_by, decided_at
  from letters left join said using (run, item_id) left join runs using (run)`

/** Every item that was, or is, with a person. */
const reviewQueueView = `
  with said as (${saidOf})
  select coalesce(runs.origin, reviews.run) as origin, reviews.* exclude (commit_no),
    case when is_rejected then 'rejected' when linked_action = 'accept' then 'accepted' when linked_action = 'correct' then 'corrected' else 'open' end as status,
    linked_run, decided_by, decided_at
  from reviews left join said using (run, item_id) left join runs using (run)`

/** A row a release: revision 1 is the run's own, each linked run that ends makes a further one. */
const releasesView = `
  select coalesce(origin, run) as run, job, coalesce(revision, 1) as revision, run as by_run, delivered as items, released_at
  from runs where released_at is not null`

const severity = `case disposition when 'dead' then 4 when 'review' then 3 when 'held' then 2 when 'skipped' then 1 else 0 end`
const ends = ["delivered", "skipped", "held", "review", "dead", "discarded"] as const
const endOf = (severe: string): string => `(['delivered', 'skipped', 'held', 'review', 'dead'])[${severe} + 1]`

/**
 * What became of the items of each run that is done: when it closed, and now, after its linked runs and people's decisions. Only items
 * that those touched are looked at one by one.
 */
const completenessView = `
  with done as (select *, coalesce(origin, run) as root from runs where status = 'done'),
  touched as (
    select distinct root, item_id from (
      select run, item_id from items where run in (select run from done where origin is not null)
      union all select run, item_id from decisions where action in ('discard', 'reject')
    ) join done using (run)
  ),
  placed as (
    select root, run, ended_at, item_id, max(${severity}) as worst
    from checkpoints join done using (run) semi join touched using (root, item_id)
    where disposition is not null and run in (select run from done where root in (select root from touched)) group by all
  ),
  newest as (select root, item_id, max(worst) filter (run = root) as at_close, arg_max(worst, ended_at) as worst, arg_max(run, ended_at) as run from placed group by all),
  moved as (
    select root, ${endOf("at_close")} as before,
      case when is_discarded then 'discarded' when is_rejected then 'dead' else ${endOf("worst")} end as after
    from newest left join (
      select run, item_id, bool_or(action = 'discard') as is_discarded, bool_or(action = 'reject') as is_rejected from decisions group by all
    ) said using (run, item_id)
  ),
  change as (select root, ${ends.map((end) => `count(*) filter (after = '${end}') - count(*) filter (before = '${end}') as ${end}`).join(", ")} from moved group by root),
  released as (select coalesce(origin, run) as root, max(coalesce(revision, 1)) as revision from runs where released_at is not null group by all)
  select done.run, done.job, manifest + rejected as rows_read, rejected, manifest, done.delivered, done.dead, done.review, done.held, done.skipped,
    manifest = done.delivered + done.dead + done.review + done.held + done.skipped as holds,
    ${ends.map((end) => `${end === "discarded" ? "0" : `done.${end}`} + coalesce(change.${end}, 0) as ${end}_now`).join(", ")},
    manifest = ${ends.map((end) => `${end}_now`).join(" + ")} as holds_now, released.revision
  from done left join change on change.root = done.run left join released on released.root = done.run
  where done.origin is null`

export const decisionViews: ReadonlyArray<readonly [name: string, query: string]> = [
  ["dlq", dlqView],
  ["review_queue", reviewQueueView],
  ["releases", releasesView],
  ["completeness", completenessView]
]
