/** Errors and bad answers: how much of the pace is left, and what is paid twice. */
import * as path from "node:path"

import { line, percent, perSecond, share } from "./bench-line.ts"
import { startFake, type FakeProcess } from "./fake-process.ts"
import { askRecord, runPaid, workPace } from "./paid-run.ts"
import { mailText, median, writeItems } from "./run-process.ts"

const rounds = 3
const goal = 0.6
/** The pace of the bulk: what is retried at the very end waits a second or two by itself, however fast the rest was. */
const bulk = 0.95
const plain = ["--bare", "--latency-ms", "20"]
/** 2 % of the attempts fail, 1 % answer half a JSON. */
const faulty = [...plain, "--rates", "500=0.015,reset=0.005,bad-json=0.01"]
/** Half a percent says that the provider is overloaded, without a time to come back. */
const overloaded = [...plain, "--rates", "503=0.005"]

interface Paces {
  readonly whole: Array<number>
  readonly bulk: Array<number>
}

export const benchFaulty = async (folder: string, items: number): Promise<void> => {
  await using clean = await measured(folder, "clean", plain, items)
  await using troubled = await measured(folder, "faulty", faulty, items)
  await using busy = await measured(folder, "overloaded", overloaded, items)
  await writeItems(path.join(folder, "items.jsonl"), items, mailText)
  for (let round = 1; round <= rounds; round++) for (const { run } of [clean, troubled, busy]) await run(round)
  const { paidExtra, paidItems, byFault, calls } = await troubled.fake.stats()
  const badAnswers = byFault["bad-json"] ?? 0
  const [bad = 0, failed = 0] = await askRecord(
    path.join(folder, `faulty-${rounds}`),
    "select count(*) filter (outcome = 'not-json'), count(*) filter (outcome not in ('not-json', 'answered')) from state.attempts"
  )
  line("calls, of them gone wrong", `${calls}, ${percent((calls - items) / calls)}`, "about 3 %")
  line("delivered and paid", `${paidItems} of ${items}`, "all", paidItems === items)
  line(
    "paid beyond once",
    `${paidExtra} (${badAnswers} bad answers, ${bad} in the record)`,
    "bad answers",
    paidExtra === badAnswers && bad === badAnswers
  )
  line("failures that cost a try", String(failed), "")
  const against = (name: string, paces: Paces, want: number | null): void => {
    for (const kind of ["whole", "bulk"] as const) {
      const ratio = median(paces[kind]) / median(clean.paces[kind])
      const told = `${share(ratio)} (${perSecond(median(paces[kind]))} of ${perSecond(median(clean.paces[kind]))} clean)`
      line(
        kind === "whole" ? name : `  until ${bulk * 100} % are durable`,
        told,
        want === null ? "" : `≥ ${want}`,
        want === null ? null : ratio >= want
      )
    }
  }
  against("pace", troubled.paces, goal)
  against("pace at 0.5 % overloads", busy.paces, null)
}

/** A fake of its own, and the paces of the runs that asked it. */
const measured = async (folder: string, name: string, flags: ReadonlyArray<string>, items: number) => {
  const fake: FakeProcess = await startFake(flags)
  const paces: Paces = { whole: [], bulk: [] }
  return {
    fake,
    paces,
    run: async (round: number): Promise<void> => {
      await fake.reset()
      const state = path.join(folder, `${name}-${round}`)
      const { said } = await runPaid({ fake, state, input: path.join(folder, "items.jsonl"), model: "bare" })
      if (said.delivered !== items) throw new Error(`${name}: ${said.delivered} of ${items} were delivered, ${said.dead} are dead`)
      paces.whole.push(await workPace(state))
      paces.bulk.push(await workPace(state, bulk))
    },
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose]()
  }
}
