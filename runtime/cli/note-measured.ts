/** What a run that is done teaches the next plan: its pace, and what its models' answers were like. */
import * as Effect from "effect/Effect"

import { isRejected } from "../execute/hold-rest.ts"
import type { RunReport } from "../report/run-report.ts"
import { readMeasuredUsage, writeMeasuredUsage, type MeasuredUsage } from "../store/measured-usage.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { writeThroughput } from "../store/throughput.ts"

/** A trial is too short to tell the pace. A run that a person closed early tells nothing: its open items were never asked about. */
export const noteMeasured = Effect.fn("Cli.noteMeasured")(function* (folder: StateFolder, report: RunReport) {
  if (isRejected(report.gates)) return
  const perMinute = perWorkerMinute(report.partitions)
  // Answers found in an earlier run come at a pace that no model keeps.
  const { calls, reused } = report.usage
  if (perMinute !== null && !report.trial && reused <= calls) yield* writeThroughput(folder.root, report.job, perMinute)
  const usage = usageOf(report, yield* readMeasuredUsage(folder.root, report.job))
  if (usage !== null) yield* writeMeasuredUsage(folder.root, report.job, usage)
})

/** Items that one worker got through a minute, while it held partitions; null where that can't be told. */
const perWorkerMinute = (partitions: RunReport["partitions"]): number | null => {
  const timed = partitions.flatMap(({ items, seconds }) => (seconds !== null && seconds > 0 ? [{ items, seconds }] : []))
  const total = timed.reduce((sum, { seconds }) => sum + seconds, 0)
  return total === 0 ? null : (timed.reduce((sum, { items }) => sum + items, 0) / total) * 60
}

/** Null where no model was asked. What failed tries used counts to the answers that came of them: the next run will have such tries too. */
export const usageOf = ({ manifest, costs }: Pick<RunReport, "manifest" | "costs">, before: MeasuredUsage | null): MeasuredUsage | null => {
  if (manifest === 0 || costs.models.length === 0) return null
  const steps = costs.models.map(({ step, model, calls, failed, reused, ...tokens }) => {
    const { inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens } = tokens
    const answered = calls - failed
    const asked = answered + reused
    // A run that found all its answers in an earlier one says how many it needed, and nothing of their length.
    const known = answered > 0 ? undefined : before?.steps.find((each) => each.step === step && each.model === model)
    return known === undefined
      ? { step, model, asked, calls: answered, inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens }
      : { ...known, asked }
  })
  return { items: manifest, steps }
}
