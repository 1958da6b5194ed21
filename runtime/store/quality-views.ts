/** What analysts ask first, as views over the published tables: how good, how dear, and whether it was good enough (OPS-1). */
import { alertSql, isJudged, metSql, slos, type Slo } from "./slo.ts"

/**
 * A row a run and step: answers that were looked at, and what came of them. `failed` are dead letters; what waits for review passed the
 * schema, and a person decides. Of a cascade each model is a step, and the infer has what came of all.
 */
const qualityView = `
  with judged as (
    select run, job, step, kind, count(*) as judged, count(*) filter (status in ('answered', 'passed', 'deferred')) as passed,
      count(*) filter (status = 'review') as review, count(*) filter (status = 'dead') as failed
    from checkpoints join (select run, step, kind from steps where kind in ('infer', 'validate')) using (run, step) where ${isJudged} group by all
  ),
  marked as (
    select run, step, count(distinct seq) filter (rule <> 'repaired') as flagged, count(distinct seq) filter (rule = 'repaired') as repaired
    from flags group by all
  ),
  sure as (select run, step, avg(confidence) as mean_confidence from attempts where outcome = 'answered' and seq >= 0 group by all)
  select run, job, step, kind, judged, passed, review, failed, coalesce(flagged, 0) as flagged, coalesce(repaired, 0) as repaired,
    (judged - failed) / nullif(judged, 0)::double as pass_rate, mean_confidence
  from judged left join marked using (run, step) left join sure using (run, step)`

/** A row a paid thing: sums of any of its columns are right. `cost_usd` is null where no price is known. */
const costsView = `
  select run, job, step, partition_no, model, model_version, tier, date_trunc('month', started_at)::date as month,
    count(*) filter (tier <> 'reused') as calls, count(*) filter (tier = 'reused') as reused, count(*) filter (outcome <> 'answered') as failed,
    sum(input_tokens)::bigint as input_tokens, sum(cache_read_tokens)::bigint as cache_read_tokens, sum(output_tokens)::bigint as output_tokens,
    sum(cost_usd) as cost_usd, sum(saved_usd) as saved_usd
  from attempts left join (select run, seq, partition_no from items) using (run, seq) group by all`

const valueOf: Readonly<Record<Slo["slo"], string>> = {
  "within-sla": "epoch_ms(case when status = 'done' then ended_at else now() end - created_at) / epoch_ms(deadline - created_at)::double",
  "primary-failure-rate": "coalesce(failed, 0) / nullif(manifest, 0)::double",
  "dead-letter-rate": "coalesce(dead_items, 0) / nullif(manifest, 0)::double",
  "cost-overrun": "case when envelope_usd > 0 then greatest(0, spent / envelope_usd - 1) when spent = 0 then 0 end",
  "pass-rate": "pass_rate"
}

/**
 * A row a run and service level. `met` is null where nothing can be said: no deadline, no items, still within time. The share of jobs
 * within their SLA: `select avg(met::integer) from slo where slo = 'within-sla' and not trial`.
 */
const sloView = `
  with failing as (
    select run, count(distinct seq) as failed from (
      select run, seq from attempts where attempt = 1 and outcome <> 'answered' and seq >= 0 union all select run, seq from retries
    ) group by run
  ),
  given_up as (select run, count(distinct seq) as dead_items from dead_letters group by run),
  paid as (select run, sum(cost_usd) as paid from attempts group by run),
  good as (
    select run, 1 - count(distinct seq) filter (status = 'dead') / count(distinct seq)::double as pass_rate
    from checkpoints semi join (from steps where kind in ('infer', 'validate')) using (run, step) where ${isJudged} group by run
  ),
  facts as (
    select runs.*, failed, dead_items, coalesce(paid, 0) as spent, pass_rate
    from runs left join failing using (run) left join given_up using (run) left join paid using (run) left join good using (run)
  )
  select run, job, slo, target, alert, value, case when slo = 'within-sla' and status <> 'done' and met then null else met end as met, alerting, trial, status, created_at from (
    ${slos
      .map(
        (slo) =>
          `select run, job, '${slo.slo}' as slo, ${slo.target}::double as target, ${slo.alert ?? "null"}::double as alert, value, ${metSql(slo)} as met, ${alertSql(slo)} as alerting,
      item_limit is not null as trial, status, created_at from (select *, ${valueOf[slo.slo]} as value from facts)`
      )
      .join("\n    union all ")}
  )`

/**
 * A row a run, step, version and bin of 0.05 that has answers: the histogram that drift is judged by, of the answers that stood. The last bin has 1 in it.
 */
const confidenceView = `
  with answered as (
    select run, job, step, model, model_version, prompt_version, seq, arg_max(confidence, attempt) as confidence
    from attempts where outcome = 'answered' and seq >= 0 group by all
  )
  select run, job, step, model, model_version, prompt_version, least(floor(confidence * 20), 19)::integer as bin,
    least(floor(confidence * 20), 19) / 20 as from_confidence, (least(floor(confidence * 20), 19) + 1) / 20 as to_confidence, count(*) as answers
  from answered where confidence is not null group by all`

/** In the order of creating: a later one reads earlier ones. */
export const qualityViews: ReadonlyArray<readonly [name: string, query: string]> = [
  ["quality", qualityView],
  ["costs", costsView],
  ["confidence", confidenceView],
  ["slo", sloView]
]
