/** A limit of requests a minute, told in headers and not told at all: how much of it is used, and how often it is run into. */
import * as path from "node:path"

import { line, percent } from "./bench-line.ts"
import { startFake } from "./fake-process.ts"
import { runPaid } from "./paid-run.ts"
import { mailText, writeItems } from "./run-process.ts"

const perMinute = 600
/** What comes first is learning, and the provider's bucket. */
const settlingMs = 15_000
const usedGoal = 0.95
const refusedGoal = 0.01

export const benchRateLimit = async (folder: string, items: number): Promise<void> => {
  const input = path.join(folder, "items.jsonl")
  await writeItems(input, items, mailText)
  for (const { name, model, flags } of [
    { name: "told in headers", model: "openai", flags: [] },
    { name: "not told", model: "bare", flags: ["--bare"] }
  ]) {
    await using fake = await startFake(["--latency-ms", "20", "--rpm", String(perMinute), ...flags])
    const { said } = await runPaid({ fake, state: path.join(folder, model), input, model })
    if (said.delivered !== items) throw new Error(`${said.delivered} of ${items} were delivered`)
    const { calls, byStatus } = await fake.stats()
    const refused = (byStatus["429"] ?? 0) / calls
    const used = steadyPerMinute(await fake.paidAt()) / perMinute
    line(`${perMinute} a minute, ${name}: used`, percent(used), `≥ ${percent(usedGoal)}`, used >= usedGoal)
    line(
      "  answered 429",
      `${percent(refused)} (${byStatus["429"] ?? 0} of ${calls} calls)`,
      `≤ ${percent(refusedGoal)}`,
      refused <= refusedGoal
    )
  }
}

/** Of the answers after the settling; the limit is the ceiling. */
const steadyPerMinute = (paidAt: ReadonlyArray<number>): number => {
  const from = (paidAt[0] ?? 0) + settlingMs
  const steady = paidAt.filter((at) => at >= from)
  const last = steady.at(-1) ?? from
  return (steady.length / Math.max(1, last - from)) * 60_000
}
