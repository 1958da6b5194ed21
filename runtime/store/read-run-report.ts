/** Reads the facts of a run for its completion report. The result fits `RunReport`, which the caller holds it against. */
import { sql, type Kysely } from "kysely"

import type { Plan } from "../../dsl/index.ts"
import { readCosts } from "./begin-run.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { readGates } from "./money-ledger.ts"
import { readCostReport } from "./read-cost-report.ts"
import { readCompleteness } from "./read-ledger.ts"
import { deadlineOf, readQuality, readSlos } from "./read-quality.ts"
import { readExports, readTimeline } from "./read-timeline.ts"

type Db = Kysely<LedgerTables>

const bucketsMax = 120
const partitionsMax = 200

/** `now` is for a run that hasn't ended. */
export const readRunReport = async (db: Db, plan: Plan, now: Date) => {
  const run = await db.selectFrom("state.run").selectAll().executeTakeFirstOrThrow()
  const completeness = await readCompleteness(db, plan)
  const { sessions, codeVersions, seconds } = await readSessions(db)
  const { spentUsd, ...usage } = await readCosts(db)
  const gates = await readGates(db)
  const envelopeUsd = gates.reduce((sum, { decision, addUsd }) => sum + (decision === "approved" ? (addUsd ?? 0) : 0), run.budget_usd)
  return {
    run: run.run,
    job: run.job,
    owner: run.owner,
    purpose: run.purpose,
    classification: run.classification,
    consumers: plan.consumers,
    status: run.status,
    trial: run.item_limit !== null,
    logicalTime: run.logical_time.toISOString(),
    startedAt: run.created_at.toISOString(),
    endedAt: run.ended_at?.toISOString() ?? null,
    seconds,
    sessions,
    planDigest: run.plan_digest,
    codeVersions,
    rowsRead: completeness.rowsRead,
    rejected: await readRejected(db),
    manifest: completeness.manifest,
    dispositions: completeness.dispositions,
    flagged: completeness.flagged,
    completeness: { holds: completeness.holds, gaps: completeness.gaps },
    steps: await readSteps(db, plan),
    causes: await readCauses(db),
    slos: await readSlos(db, plan, { spentUsd, envelopeUsd, now }),
    quality: await readQuality(db, plan),
    sla: slaOf(run.created_at, deadlineOf(plan, run)),
    timeline: await readTimeline(db),
    exports: await readExports(db),
    ...(await readPartitionReport(db)),
    ...(await readThroughput(db)),
    confidence: await readConfidence(db),
    money: { budgetUsd: run.budget_usd, estimateUsd: run.estimate_usd, spentUsd },
    usage,
    retries: await readRetries(db),
    alerts: (await db.selectFrom("state.alerts").select(["kind", "raised_at"]).orderBy("raised_at").orderBy("kind").execute()).map(
      ({ kind, raised_at }) => ({ kind, at: raised_at.toISOString() })
    ),
    costs: await readCostReport(db, plan),
    gates: gates.map(({ gate, kind, decision, addUsd }) => ({ gate, kind, decision, addUsd })),
    summaries: (await db.selectFrom("payload.summaries").selectAll().execute()).map(
      ({ step, summary }): { step: string; values: unknown } => ({ step, values: JSON.parse(summary) })
    ),
    reports: (await db.selectFrom("payload.reports").selectAll().execute()).map(({ step, report }) => ({ step, text: report }))
  }
}

/** A retry whose step has a later attempt, or whose item was given up on meanwhile, was asked again or needs it no more. */
const readRetries = async (db: Db) => {
  const { rows } = await sql<{ retried: number; sweeps: number; queued: number }>`
    with last as (select seq, variant.step, max(attempt) as attempt from state.attempts join state.variants variant using (variant)
      where seq in (select seq from state.retries) group by all),
    queue as (select retry.seq, retry.step, coalesce(last.attempt > retry.attempt, false) as is_asked,
        row_number() over (partition by retry.seq, retry.step order by retry.attempt) as sweep
      from state.retries retry left join last using (seq, step))
    select count(distinct seq) filter (where is_asked) as retried, coalesce(max(sweep) filter (where is_asked), 0) as sweeps,
      count(distinct seq) filter (where not is_asked and seq not in (select seq from state.checkpoints where disposition is not null)) as queued
    from queue`.execute(db)
  return rows[0] ?? { retried: 0, sweeps: 0, queued: 0 }
}

const slaOf = (began: Date, deadline: Date | null) => {
  if (deadline === null) return null
  const at = (share: number): string => new Date(began.getTime() + share * (deadline.getTime() - began.getTime())).toISOString()
  return { warnAt: at(0.7), escalateAt: at(0.9), deadline: deadline.toISOString() }
}

const readSessions = async (db: Db) => {
  const rows = await db.selectFrom("state.sessions").selectAll().orderBy("session").execute()
  // A session that a kill ended has no end: its last commit is the last that is known of it.
  const { rows: lasts } = await sql<{
    session: number
    last: Date
  }>`select session, max(completed_at) as last from state.checkpoints group by session`.execute(db)
  const lastOf = new Map(lasts.map(({ session, last }) => [session, last]))
  const seconds = rows.reduce((sum, { session, started_at, ended_at }) => {
    const end = ended_at ?? lastOf.get(session) ?? started_at
    return sum + Math.max(0, (end.getTime() - started_at.getTime()) / 1_000)
  }, 0)
  return { sessions: rows.length, codeVersions: [...new Set(rows.map(({ code_version }) => code_version))], seconds }
}

const readRejected = async (db: Db) => {
  const counted = await sql<{
    code: string
    rows: number
  }>`select code, count(*) as rows from state.rejections group by code order by rows desc, code`.execute(db)
  const rejected = []
  for (const { code, rows } of counted.rows) {
    const examples = await db
      .selectFrom("state.rejections as rejection")
      .innerJoin("payload.rejected_rows as row", "row.rejection", "rejection.rejection")
      .where("rejection.code", "=", code)
      .select(["row.file", "row.line", "row.reason"])
      .orderBy("rejection.rejection")
      .limit(5)
      .execute()
    rejected.push({ code, rows, examples })
  }
  return rejected
}

interface StepFacts {
  readonly step: string
  readonly model: string | null
  readonly attempts: number
  readonly mean_ms: number
  readonly p95_ms: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost_usd: number | null
}

const readSteps = async (db: Db, plan: Plan) => {
  const statuses = await sql<{
    step: string
    status: string
    items: number
  }>`select step, status, count(*) as items from state.checkpoints group by all order by all`.execute(db)
  const calls =
    await sql<StepFacts>`select step, string_agg(distinct model, ', ') as model, count(*) as attempts, avg(ms) as mean_ms, approx_quantile(ms, 0.95) as p95_ms,
      sum(input_tokens)::double as input_tokens, sum(output_tokens)::double as output_tokens, sum(cost_usd) as cost_usd
    from state.attempts join state.variants using (variant) group by step`.execute(db)
  const called = new Map(calls.rows.map((row) => [row.step, row]))
  const kindOf = new Map(
    plan.steps.flatMap((step) => [
      [step.name, step.kind] as const,
      ...(step.kind === "infer" ? step.models.map((model) => [model.step, "infer"] as const) : [])
    ])
  )
  return [...kindOf].flatMap(([step, kind]) => {
    const of = Object.fromEntries(statuses.rows.filter((row) => row.step === step).map(({ status, items }) => [status, items]))
    const call = called.get(step)
    if (Object.keys(of).length === 0 && call === undefined) return []
    return [
      {
        step,
        kind,
        model: call?.model ?? null,
        statuses: of,
        attempts: call?.attempts ?? 0,
        meanMs: call?.mean_ms ?? null,
        p95Ms: call?.p95_ms ?? null,
        inputTokens: call?.input_tokens ?? 0,
        outputTokens: call?.output_tokens ?? 0,
        costUsd: call?.cost_usd ?? null
      }
    ]
  })
}

const readCauses = async (db: Db) => {
  const { rows } = await sql<{
    kind: "dead" | "review" | "flag"
    step: string
    code: string
    rule: string | null
    items: number
    example: string
  }>`
    select 'dead' as kind, step, code, rule, count(*) as items, arg_min(item_id, seq) as example from state.dead_letters group by all
    union all select 'review', step, code, rule, count(*), arg_min(item_id, seq) from state.reviews group by all
    union all select 'flag', step, 'rule', rule, count(*), arg_min(item_id, seq) from state.flags group by all
    order by kind, items desc, step, code, rule`.execute(db)
  return rows
}

const readPartitionReport = async (db: Db) => {
  const { rows } = await sql<{ partition: number; label: string | null; items: number; weight: number; seconds: number | null }>`
    select place.partition_no as "partition", label, items, weight, epoch_ms(done_at - leased_at) / 1000.0 as seconds
    from (select * exclude (label) from state.partitions) place left join payload.labels using (partition_no)
    order by seconds desc nulls last, place.partition_no limit ${partitionsMax}`.execute(db)
  const { rows: skew } = await sql<{ count: number; items: number | null; weight: number | null }>`
    select count(*) as count, max(items) / nullif(avg(items), 0) as items, max(weight) / nullif(avg(weight), 0) as weight from state.partitions`.execute(
    db
  )
  const all = skew[0]
  return { partitions: rows, partitionCount: all?.count ?? 0, skew: { items: all?.items ?? null, weight: all?.weight ?? null } }
}

/** Buckets of a round length, so that the axis reads well. */
const readThroughput = async (db: Db) => {
  const { rows: span } = await sql<{ first: Date | null; seconds: number | null }>`
    select min(completed_at) as first, epoch_ms(max(completed_at) - min(completed_at)) / 1000.0 as seconds from state.checkpoints where disposition is not null`.execute(
    db
  )
  const seconds = span[0]?.seconds ?? 0
  const bucket = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600].find((length) => seconds / length < bucketsMax) ?? 7_200
  const { rows } = await sql<{ start: Date; items: number }>`
    select time_bucket(${`${bucket} seconds`}::interval, completed_at) as start, count(distinct seq) as items
    from state.checkpoints where disposition is not null group by start order by start`.execute(db)
  return { throughput: rows.map(({ start, items }) => ({ at: start.toISOString(), items })), throughputBucketSeconds: bucket }
}

const bins = 20

const readConfidence = async (db: Db) => {
  const { rows } = await sql<{ step: string; bin: number | null; answers: number }>`
    select step, case when confidence is not null then least(floor(confidence * ${bins}), ${bins - 1}) end::integer as bin, count(*) as answers
    from state.attempts join state.variants using (variant) where outcome = 'answered' group by all order by all`.execute(db)
  const steps = [...new Set(rows.filter(({ bin }) => bin !== null).map(({ step }) => step))]
  return steps.map((step) => {
    const of = rows.filter((row) => row.step === step)
    return {
      step,
      bins: Array.from({ length: bins }, (_, bin) => of.find((row) => row.bin === bin)?.answers ?? 0),
      none: of.find(({ bin }) => bin === null)?.answers ?? 0
    }
  })
}
