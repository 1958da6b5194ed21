/** Errors and bad answers: how much of the pace is left, and what is paid twice. */
import * as path from "node:path"

import { line, percent, perSecond, share } from "./bench-line.ts"
import { startFake } from "./fake-process.ts"
import { askRecord, runPaid, workPace } from "./paid-run.ts"
import { mailText, median, writeItems } from "./run-process.ts"

const rounds = 3
const goal = 0.6
/** 2 % of the attempts fail, 1 % answer half a JSON. The errors come with no Retry-After. */
const rates = "500=0.01,503=0.005,reset=0.005,bad-json=0.01"

export const benchFaulty = async (folder: string, items: number): Promise<void> => {
  await using clean = await startFake(["--bare", "--latency-ms", "20"])
  await using faulty = await startFake(["--bare", "--latency-ms", "20", "--rates", rates])
  const input = path.join(folder, "items.jsonl")
  await writeItems(input, items, mailText)
  const pace = { clean: [] as Array<number>, faulty: [] as Array<number> }
  for (let round = 1; round <= rounds; round++) {
    for (const [name, fake] of Object.entries({ clean, faulty })) {
      await fake.reset()
      const state = path.join(folder, `${name}-${round}`)
      const { said } = await runPaid({ fake, state, input, model: "bare" })
      pace[name === "clean" ? "clean" : "faulty"].push(await workPace(state))
      if (said.delivered !== items) throw new Error(`${name}: ${said.delivered} of ${items} were delivered, ${said.dead} are dead`)
    }
  }
  const { paidExtra, paidItems, byFault, calls } = await faulty.stats()
  const badAnswers = byFault["bad-json"] ?? 0
  const [bad = 0, failed = 0] = await askRecord(
    path.join(folder, `faulty-${rounds}`),
    "select count(*) filter (outcome = 'not-json'), count(*) filter (outcome not in ('not-json', 'answered')) from state.attempts"
  )
  const ratio = median(pace.faulty) / median(pace.clean)
  line("calls, of them gone wrong", `${calls}, ${percent((calls - items) / calls)}`, "about 3 %")
  line("delivered and paid", `${paidItems} of ${items}`, "all", paidItems === items)
  line(
    "paid beyond once",
    `${paidExtra} (${badAnswers} bad answers, ${bad} in the record)`,
    "bad answers",
    paidExtra === badAnswers && bad === badAnswers
  )
  line("failures that cost a try", String(failed), "")
  line(
    "pace, of the clean run's",
    `${share(ratio)} (${perSecond(median(pace.faulty))} of ${perSecond(median(pace.clean))})`,
    `≥ ${goal}`,
    ratio >= goal
  )
}
