/** What a run's paid calls cost, from its attempts. The result fits `CostReport`, which the caller holds it against. */
import { sql, type Kysely } from "kysely"

import type { Plan } from "../../dsl/index.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { CallTier } from "./state-tables.ts"

/** As the prices of calls are multiplied where the author says nothing else. */
const batchFactorDefault = 0.5

interface CallFacts {
  readonly step: string
  readonly model: string
  readonly tier: CallTier
  readonly calls: number
  readonly failed: number
  readonly inputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
  readonly costUsd: number | null
  readonly savedUsd: number
  readonly failedUsd: number
  readonly unpriced: number
}

export const readCostReport = async (db: Kysely<LedgerTables>, plan: Plan) => {
  const { rows } = await sql<CallFacts>`
    select step, model, tier, count(*) as calls, count(*) filter (outcome <> 'answered') as failed,
      sum(input_tokens)::double as "inputTokens", sum(cache_read_tokens)::double as "cacheReadTokens",
      sum(cache_write_tokens)::double as "cacheWriteTokens", sum(output_tokens)::double as "outputTokens",
      sum(reasoning_tokens)::double as "reasoningTokens", sum(cost_usd) as "costUsd", coalesce(sum(saved_usd), 0) as "savedUsd",
      coalesce(sum(cost_usd) filter (outcome <> 'answered'), 0) as "failedUsd", count(*) filter (cost_usd is null) as unpriced
    from state.attempts join state.variants using (variant) group by step, model, tier order by step, model, tier`.execute(db)
  const planned = plannedModels(plan)
  const paid = rows.filter((row) => planned.get(nameOf(row))?.engine !== "local" && (planned.has(nameOf(row)) || isPaid(row)))
  const savedBy = (of: (row: CallFacts) => number): number => paid.reduce((sum, row) => sum + of(row), 0)
  const batchSaved = (row: CallFacts): number => {
    if (row.tier !== "batch") return 0
    const factor = planned.get(nameOf(row))?.price?.batchFactor ?? batchFactorDefault
    return (row.costUsd ?? 0) * (1 / factor - 1)
  }
  return {
    models: [...Map.groupBy(paid, nameOf).values()].map(modelCost),
    failedUsd: savedBy(({ failedUsd }) => failedUsd),
    unpricedCalls: savedBy(({ unpriced }) => unpriced),
    savedUsd: {
      batch: savedBy(batchSaved),
      // What a call saved beside its tier, its cache did.
      caching: savedBy((row) => (row.tier === "reused" ? 0 : row.savedUsd - batchSaved(row))),
      reuse: savedBy(({ tier, savedUsd }) => (tier === "reused" ? savedUsd : 0))
    }
  }
}

/** Models by step and name; after another plan was accepted a run may have asked some that are no longer in it. */
const plannedModels = (plan: Plan) =>
  new Map(
    plan.steps.flatMap((step) =>
      step.kind === "infer"
        ? [...step.models, ...step.overrides.flatMap(({ model }) => model ?? [])].map(
            (model) => [nameOf({ step: model.step, model: model.name }), model] as const
          )
        : []
    )
  )

const nameOf = ({ step, model }: { readonly step: string; readonly model: string }): string => `${step} ${model}`

const isPaid = ({ tier, costUsd, inputTokens, outputTokens }: CallFacts): boolean =>
  tier !== "realtime" || costUsd === null || costUsd > 0 || inputTokens + outputTokens > 0

const modelCost = (rows: ReadonlyArray<CallFacts>) => {
  const sent = rows.filter(({ tier }) => tier !== "reused")
  const sumOf = (some: ReadonlyArray<CallFacts>, of: (row: CallFacts) => number): number => some.reduce((sum, row) => sum + of(row), 0)
  const priced = sent.filter(({ costUsd }) => costUsd !== null)
  return {
    step: rows[0]?.step ?? "",
    model: rows[0]?.model ?? "",
    calls: sumOf(sent, ({ calls }) => calls),
    failed: sumOf(sent, ({ failed }) => failed),
    reused: sumOf(rows, ({ calls }) => calls) - sumOf(sent, ({ calls }) => calls),
    inputTokens: sumOf(sent, ({ inputTokens }) => inputTokens),
    cacheReadTokens: sumOf(sent, ({ cacheReadTokens }) => cacheReadTokens),
    cacheWriteTokens: sumOf(sent, ({ cacheWriteTokens }) => cacheWriteTokens),
    outputTokens: sumOf(sent, ({ outputTokens }) => outputTokens),
    reasoningTokens: sumOf(sent, ({ reasoningTokens }) => reasoningTokens),
    costUsd: sent.length > 0 && priced.length === 0 ? null : sumOf(priced, ({ costUsd }) => costUsd ?? 0)
  }
}
