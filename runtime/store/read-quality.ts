/** How good a run was: answers looked at by step, and its service levels, from its own files; views say the same of what is published. */
import { sql, type Kysely } from "kysely"

import type { Plan } from "../../dsl/index.ts"
import { quoted } from "./duck.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { isAlerting, isJudged, isMet, slos } from "./slo.ts"

type Db = Kysely<LedgerTables>

/** Steps that look at answers, in the plan's order, each model of a cascade before its infer. */
const judgingSteps = (plan: Plan): ReadonlyArray<string> =>
  plan.steps.flatMap((step) =>
    step.kind === "validate"
      ? [step.name]
      : step.kind === "infer"
        ? [...new Set([...step.models.map((model) => model.step), step.name])]
        : []
  )

const listOf = (steps: ReadonlyArray<string>) => sql.raw(steps.map(quoted).join(", "))

export const readQuality = async (db: Db, plan: Plan) => {
  const steps = judgingSteps(plan)
  if (steps.length === 0) return []
  const { rows } = await sql<{
    step: string
    judged: number
    passed: number
    review: number
    failed: number
    flagged: number
    repaired: number
    passRate: number | null
    meanConfidence: number | null
  }>`
    with judged as (
      select step, count(*) as judged, count(*) filter (status in ('answered', 'passed', 'deferred')) as passed,
        count(*) filter (status = 'review') as review, count(*) filter (status = 'dead') as failed
      from state.checkpoints where step in (${listOf(steps)}) and ${sql.raw(isJudged)} group by step
    ),
    marked as (
      select step, count(distinct seq) filter (rule <> 'repaired') as flagged, count(distinct seq) filter (rule = 'repaired') as repaired
      from state.flags group by step
    ),
    sure as (
      select step, avg(confidence) as confidence from state.attempts join state.variants using (variant) where outcome = 'answered' group by step
    )
    select step, judged, passed, review, failed, coalesce(flagged, 0) as flagged, coalesce(repaired, 0) as repaired,
      (judged - failed) / nullif(judged, 0)::double as "passRate", confidence as "meanConfidence"
    from judged left join marked using (step) left join sure using (step)`.execute(db)
  return rows.toSorted((a, b) => steps.indexOf(a.step) - steps.indexOf(b.step))
}

/** When a run is due: a trial never is. */
export const deadlineOf = (plan: Plan, run: { readonly created_at: Date; readonly item_limit: number | null }): Date | null =>
  plan.schedule === null || run.item_limit !== null ? null : new Date(run.created_at.getTime() + plan.schedule.withinMs)

interface SloFacts {
  readonly manifest: number
  readonly failed: number
  readonly dead: number
  readonly judged: number
  readonly misjudged: number
}

/** Each service level's value and verdict; `spentUsd` and `envelopeUsd` are what the report says of money. */
export const readSlos = async (
  db: Db,
  plan: Plan,
  { spentUsd, envelopeUsd, now }: { readonly spentUsd: number; readonly envelopeUsd: number; readonly now: Date }
) => {
  const run = await db.selectFrom("state.run").select(["created_at", "ended_at", "item_limit", "status"]).executeTakeFirstOrThrow()
  const steps = listOf(judgingSteps(plan))
  const { rows } = await sql<SloFacts>`select (select count(*) from state.manifest) as manifest,
    (select count(distinct seq) from (
      select seq from state.attempts where attempt = 1 and outcome <> 'answered' and seq >= 0 union all select seq from state.retries)) as failed,
    (select count(distinct seq) from state.dead_letters) as dead,
    (select count(distinct seq) from state.checkpoints where step in (${steps}) and ${sql.raw(isJudged)}) as judged,
    (select count(distinct seq) from state.checkpoints where step in (${steps}) and status = 'dead' and ${sql.raw(isJudged)}) as misjudged`.execute(
    db
  )
  const { manifest, failed, dead, judged, misjudged } = rows[0] ?? { manifest: 0, failed: 0, dead: 0, judged: 0, misjudged: 0 }
  const share = (part: number, all: number): number | null => (all === 0 ? null : part / all)
  const due = deadlineOf(plan, run)
  // Whatever stopped short is still to be done.
  const elapsedMs = (run.status === "done" ? (run.ended_at ?? now) : now).getTime() - run.created_at.getTime()
  const failing = share(misjudged, judged)
  const values: Readonly<Record<(typeof slos)[number]["slo"], number | null>> = {
    "within-sla": due === null ? null : elapsedMs / (due.getTime() - run.created_at.getTime()),
    "primary-failure-rate": share(failed, manifest),
    "dead-letter-rate": share(dead, manifest),
    "cost-overrun": envelopeUsd > 0 ? Math.max(0, spentUsd / envelopeUsd - 1) : spentUsd === 0 ? 0 : null,
    "pass-rate": failing === null ? null : 1 - failing
  }
  return slos.map((slo) => {
    const value = values[slo.slo]
    const met = isMet(slo, value)
    // A run that is still within its time has not met it yet.
    const isOpen = slo.slo === "within-sla" && run.status !== "done" && met === true
    return { slo: slo.slo, target: slo.target, alert: slo.alert, value, met: isOpen ? null : met, alerting: isAlerting(slo, value) }
  })
}
