/** The cost section: what was expected, what it came to by model, and what was saved (CST-1, CST-4). */
import type { CostReport, ModelCost } from "./cost-report.ts"
import { html } from "./markup.ts"
import type { Html } from "./markup.ts"
import type { RunReport } from "./run-report.ts"
import { facts, table } from "./tables.ts"
import { count, dollars, none, percent, plural } from "./text.ts"

/** Null for a run that asked embedded models only. */
export const costsOf = (report: RunReport): Html | null => {
  const { costs, money } = report
  if (costs.models.length === 0) return null
  const { batch, caching, reuse } = costs.savedUsd
  return html`<section class="costs">
    <h2>Cost</h2>
    ${facts([
      ["Against the estimate", againstEstimate(money)],
      ["Saved by the batch tier", dollars(batch)],
      [
        "Saved by prompt caching",
        caching < 0 ? `−${dollars(-caching)}: writing the cache cost more than reading it saved` : dollars(caching)
      ],
      ["Saved by reuse", html`${dollars(reuse)} <span class="soft">${reusedText(costs)}</span>`],
      ["For answers that couldn't be used", html`${dollars(costs.failedUsd)} <span class="soft">${failedText(costs)}</span>`],
      ...(costs.unpricedCalls === 0 ? [] : [["Of unknown price", plural(costs.unpricedCalls, "call")] as const])
    ])}
    ${modelTable(costs.models)}
  </section>`
}

const againstEstimate = ({ estimateUsd, spentUsd }: RunReport["money"]): string => {
  if (estimateUsd === null) return `${dollars(spentUsd)} spent; it wasn't estimated`
  const difference = spentUsd - estimateUsd
  const share =
    estimateUsd === 0 || difference === 0 ? "" : `, ${percent(Math.abs(difference), estimateUsd)} ${difference > 0 ? "above" : "below"} it`
  return `${dollars(spentUsd)} spent, ${dollars(estimateUsd)} estimated${share}`
}

const reusedText = ({ models }: CostReport): string =>
  plural(
    models.reduce((sum, { reused }) => sum + reused, 0),
    "answer"
  )

const failedText = ({ models }: CostReport): string =>
  plural(
    models.reduce((sum, { failed }) => sum + failed, 0),
    "call"
  )

const modelTable = (models: ReadonlyArray<ModelCost>): Html =>
  table<ModelCost>(
    [
      { title: "Model", cell: ({ step, model }) => html`<b>${model}</b> <span class="soft">${step}</span>` },
      { title: "Calls", cell: ({ calls }) => count(calls), isNumber: true },
      { title: "Reused", cell: ({ reused }) => count(reused), isNumber: true },
      { title: "Tokens in", cell: ({ inputTokens }) => count(inputTokens), isNumber: true },
      { title: "From cache", cell: ({ cacheReadTokens }) => count(cacheReadTokens), isNumber: true },
      { title: "To cache", cell: ({ cacheWriteTokens }) => count(cacheWriteTokens), isNumber: true },
      { title: "Tokens out", cell: ({ outputTokens }) => count(outputTokens), isNumber: true },
      { title: "Reasoning", cell: ({ reasoningTokens }) => count(reasoningTokens), isNumber: true },
      { title: "Cost", cell: ({ costUsd }) => (costUsd === null ? none : dollars(costUsd)), isNumber: true }
    ],
    models
  )
