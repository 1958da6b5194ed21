/** Provider batches: items to files and away, and back into durable checkpoints, each way by the run's own record. */
import * as path from "node:path"

import { line, perSecond, share } from "./bench-line.ts"
import { startFake } from "./fake-process.ts"
import { askRecord, askRows, paidBenchJob, saidOf, startPaid } from "./paid-run.ts"
import { rawBatch } from "./raw-batch.ts"
import { mailText, writeItems } from "./run-process.ts"

const goal = 10_000
const peakGoalMb = 600
/** OpenAI's bound of one batch. */
const perBatch = 50_000
/** Between two signs of work of the way back that are further apart, the run waited for a look at the provider. */
const idleMs = 1_000

export const benchBatch = async (folder: string, items: number): Promise<void> => {
  // All is worked on while it is held, so that the fake's own work falls into neither way.
  await using fake = await startFake(["--faults", JSON.stringify({ batch: { ms: 0, hold: true, processed: items } })])
  const input = path.join(folder, "items.jsonl")
  const state = path.join(folder, "state")
  await writeItems(input, items, mailText)
  await fake.faults({ batch: { hold: false } })
  const before = await rawBatch(fake, folder, perBatch)
  await fake.reset()
  const running = startPaid(["run", paidBenchJob], { fake, state, input, model: "openai-batch" })
  const isWorkedOn = async (): Promise<boolean> => {
    const batches = await fake.batches()
    return batches.length === Math.ceil(items / perBatch) && batches.every(({ total, completed }) => total > 0 && completed === total)
  }
  while (!(await isWorkedOn())) await new Promise((resume) => setTimeout(resume, 100))
  await fake.faults({ batch: { hold: false } })
  const watched = await running.ended
  const said = saidOf(watched)
  const { paidCalls, paidTwice } = await fake.stats()
  const after = await rawBatch(fake, path.join(folder, "state"), perBatch)
  const out = items / (await outSeconds(state))
  const { ingestSeconds, backSeconds } = await wayBack(state)
  const back = items / backSeconds
  const ceiling = { out: (before.outPerSecond + after.outPerSecond) / 2, back: (before.backPerSecond + after.backPerSecond) / 2 }
  line(
    "delivered, paid, paid twice",
    `${said.delivered}, ${paidCalls}, ${paidTwice}`,
    `${items}, ${items}, 0`,
    said.delivered === items && paidCalls === items
  )
  line(
    "spooled and uploaded",
    `${perSecond(out)} (${share(out / ceiling.out)} of bare lines, file, upload)`,
    `≥ ${perSecond(goal)}`,
    out >= goal
  )
  line(
    "downloaded and ingested",
    `${perSecond(items / ingestSeconds)} (${share(items / ingestSeconds / ceiling.back)} of bare download, parse, append)`,
    `≥ ${perSecond(goal)}`,
    items / ingestSeconds >= goal
  )
  line("  and judged and settled", `${perSecond(back)} (${share(back / ceiling.back)})`, `≥ ${perSecond(goal)}`, back >= goal)
  line("peak RSS", `${watched.peakMb.toFixed(0)} MB`, `≤ ${peakGoalMb} MB`, watched.peakMb <= peakGoalMb)
  line("ceilings: out, back", `${perSecond(ceiling.out)}, ${perSecond(ceiling.back)}`, "")
}

/** From the first lease until the last batch is created. */
const outSeconds = async (state: string): Promise<number> => {
  const [ms = Number.NaN] = await askRecord(
    state,
    "select epoch_ms((select max(created_at) from state.batches) - (select min(leased_at) from state.partitions))"
  )
  return ms / 1_000
}

/** Without the waits for the next look at a batch: the time that the fake took is not the run's. */
const wayBack = async (state: string): Promise<{ readonly ingestSeconds: number; readonly backSeconds: number }> => {
  const ingests = await askRows(state, "select epoch_ms(ended_at), epoch_ms(ingested_at) from state.batches")
  const first = Math.min(...ingests.map(([ended = 0]) => ended))
  const commits = await askRows(
    state,
    `select epoch_ms(committed_at) from state.commits where epoch_ms(committed_at) >= ${first} order by 1`
  )
  const times = commits.map(([at = 0]) => at)
  const settles = times.map((at, index): readonly [number, number] => {
    const previous = Math.max(times[index - 1] ?? 0, ...ingests.map(([, ingested = 0]) => (ingested <= at ? ingested : 0)))
    return [at - previous <= idleMs ? previous : at, at]
  })
  const spans = ingests.map(([ended = 0, ingested = 0]): readonly [number, number] => [ended, ingested])
  return { ingestSeconds: lengthOf(spans) / 1_000, backSeconds: lengthOf([...spans, ...settles]) / 1_000 }
}

/** Of the time that is in any of the spans. */
const lengthOf = (spans: ReadonlyArray<readonly [number, number]>): number => {
  let until = Number.NEGATIVE_INFINITY
  let sum = 0
  for (const [from, to] of spans.toSorted(([a], [b]) => a - b)) {
    sum += Math.max(0, to - Math.max(from, until))
    until = Math.max(until, to)
  }
  return sum
}
