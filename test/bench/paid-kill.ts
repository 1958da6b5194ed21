/** Kills paid runs at half and resumes them: what is paid twice. */
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import * as path from "node:path"

import { line } from "./bench-line.ts"
import { startFake, type FakeProcess } from "./fake-process.ts"
import { askRecord, paidBenchJob, runOf, saidOf, startPaid } from "./paid-run.ts"
import { inFlight } from "./realtime-run.ts"
import { mailText, writeItems } from "./run-process.ts"

/** Answers that one group commit may hold: none is asked for beyond it until it is durable. */
const groupMax = 1_000

export const benchPaidKill = async (folder: string, items: number): Promise<void> => {
  const input = path.join(folder, "items.jsonl")
  await writeItems(input, items, mailText)
  await killAtHalf(path.join(folder, "realtime"), input, items)
  for (const kill of ["uploaded", "created", "ingesting"] as const) await killBatch(path.join(folder, kill), input, items, kill)
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

/** At each step of the way the same promise: none. */
const killBatch = async (folder: string, input: string, items: number, step: "uploaded" | "created" | "ingesting"): Promise<void> => {
  await using fake = await startFake(["--batch-ms", step === "ingesting" ? "2000" : "8000"])
  const state = path.join(folder, "state")
  const bench = { fake, state, input, model: "openai-batch" }
  await killedWhen(bench, () => isAt(fake, step))
  const said = saidOf(await startPaid(["resume", runOf(state)], bench).ended)
  const { batches, paidCalls, paidTwice } = await fake.stats()
  const isMet = said.delivered === items && paidCalls === items && paidTwice === 0
  line(
    `batch, killed when ${step}`,
    `${said.delivered} delivered, ${paidCalls} paid, ${batches.created} created`,
    `${items}, ${items}`,
    isMet
  )
  line("  paid twice", String(paidTwice), "0", paidTwice === 0)
}

const isAt = async (fake: FakeProcess, step: "uploaded" | "created" | "ingesting"): Promise<boolean> => {
  const { files, batches, byPath } = await fake.stats()
  if (step === "uploaded") return files.uploaded > 0
  if (step === "created") return batches.created > 0
  return Object.keys(byPath).some((path) => path.endsWith("/content"))
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
