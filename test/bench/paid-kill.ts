/** Kills paid runs at half and resumes them: what is paid twice. */
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import * as path from "node:path"

import { line } from "./bench-line.ts"
import { startFake } from "./fake-process.ts"
import { askRecord, paidBenchJob, runOf, saidOf, startPaid } from "./paid-run.ts"
import { inFlight } from "./realtime-run.ts"
import { mailText, writeItems } from "./run-process.ts"

/** Answers that one group commit may hold: none is asked for beyond it until it is durable. */
const groupMax = 1_000

export const benchPaidKill = async (folder: string, items: number): Promise<void> => {
  const input = path.join(folder, "items.jsonl")
  await writeItems(input, items, mailText)
  await killAtHalf(path.join(folder, "realtime"), input, items)
  for (const step of steps) await killBatch(path.join(folder, step), input, items, step)
}

const killAtHalf = async (folder: string, input: string, items: number): Promise<void> => {
  await using fake = await startFake(["--bare", "--latency-ms", "20"])
  const state = path.join(folder, "state")
  const bench = { fake, state, input, model: "bare" }
  await killedWhen(bench, () => committed(state) >= items / 2)
  const durable = committed(state)
  const said = saidOf(await startPaid(["resume", runOf(state)], bench).ended)
  const { paidItems, paidTwice, paidExtra } = await fake.stats()
  const most = inFlight + groupMax
  const [spent = 0] = await askRecord(state, "select sum(cost_usd) from state.attempts")
  line(
    `realtime, killed at ${durable}`,
    `${said.delivered} delivered, ${paidItems} paid`,
    `${items}, ${items}`,
    said.delivered === items && paidItems === items
  )
  line("  paid twice", `${paidTwice} (${paidExtra} payments)`, `≤ ${inFlight} + one commit`, paidExtra <= most && paidExtra === paidTwice)
  line("  spent by the record", `${spent.toFixed(6)} US dollars`, "")
}

/** Where a batch can be when its run dies: the provider's answer to this call never comes. */
const steps = ["create", "content", "delete"] as const

const killBatch = async (folder: string, input: string, items: number, step: (typeof steps)[number]): Promise<void> => {
  await using fake = await startFake(["--batch-ms", "1000", "--faults", JSON.stringify({ chores: { [step]: ["hang"] } })])
  const state = path.join(folder, "state")
  const bench = { fake, state, input, model: "openai-batch" }
  await killedWhen(bench, async () => (await fake.faults()).chores[step].length === 0)
  const said = saidOf(await startPaid(["resume", runOf(state)], bench).ended)
  const { batches, paidCalls, paidTwice } = await fake.stats()
  const isMet = said.delivered === items && paidCalls === items && batches.created === 1
  line(
    `batch, killed in its ${step} call`,
    `${said.delivered} delivered, ${paidCalls} paid, ${batches.created} created`,
    `${items}, ${items}, 1`,
    isMet
  )
  line("  paid twice", String(paidTwice), "0", paidTwice === 0)
}

/** Starts a run, and kills it with SIGKILL once it has got so far. */
const killedWhen = async (bench: Parameters<typeof startPaid>[1], isSo: () => boolean | Promise<boolean>): Promise<void> => {
  mkdirSync(bench.state, { recursive: true })
  const running = startPaid(["run", paidBenchJob], bench)
  while (!(await isSo())) await new Promise((resume) => setTimeout(resume, 10))
  process.kill(running.pid, "SIGKILL")
  await running.ended
}

/** Items that the run's own word says are durable. */
const committed = (state: string): number => {
  try {
    const progress = path.join(state, "runs", runOf(state), "progress.json")
    return existsSync(progress) ? Number(JSON.parse(readFileSync(progress, "utf8")).committed) : 0
  } catch {
    return 0
  }
}
