import { describe, expect, it } from "vitest"

import { usageOf } from "../../../runtime/cli/note-measured.ts"
import type { ModelCost } from "../../../runtime/report/cost-report.ts"

const cost: ModelCost = {
  step: "labels",
  model: "m",
  calls: 100,
  failed: 20,
  reused: 10,
  inputTokens: 160_000,
  cacheReadTokens: 40_000,
  cacheWriteTokens: 0,
  outputTokens: 8_000,
  reasoningTokens: 0,
  costUsd: 1
}
const report = (...models: ReadonlyArray<ModelCost>) => ({
  manifest: 90,
  costs: { models, failedUsd: 0, unpricedCalls: 0, savedUsd: { batch: 0, caching: 0, reuse: 0 } }
})

describe("what a run measures for the next estimate", () => {
  it("[CST-1] counts what failed tries used to the answers that came of them", () => {
    expect(usageOf(report(cost), null)).toEqual({
      items: 90,
      steps: [
        {
          step: "labels",
          model: "m",
          asked: 90,
          calls: 80,
          inputTokens: 160_000,
          cacheReadTokens: 40_000,
          cacheWriteTokens: 0,
          outputTokens: 8_000
        }
      ]
    })
  })

  it("[CST-1] keeps the lengths of an earlier run where all answers were found there", () => {
    const before = usageOf(report(cost), null)
    const reused = { ...cost, calls: 0, failed: 0, reused: 45, inputTokens: 0, cacheReadTokens: 0, outputTokens: 0, costUsd: 0 }
    expect(usageOf(report(reused), before)?.steps).toEqual([{ ...before?.steps[0], asked: 45 }])
    // Control: without one there is nothing to keep.
    expect(usageOf(report(reused), null)?.steps).toEqual([
      { step: "labels", model: "m", asked: 45, calls: 0, inputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 0 }
    ])
  })

  it("[CST-1] is nothing where no model was asked", () => {
    expect(usageOf(report(), null)).toBeNull()
    expect(usageOf({ ...report(cost), manifest: 0 }, null)).toBeNull()
  })
})
