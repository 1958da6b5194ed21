/** A paid run in real time against what the same server gives a bare client, one after the other and again. */
import * as path from "node:path"

import { line, perSecond, share } from "./bench-line.ts"
import { startFake } from "./fake-process.ts"
import { runPaid, workPace } from "./paid-run.ts"
import { rawRequests } from "./raw-requests.ts"
import { mailText, median, writeItems } from "./run-process.ts"

const rounds = 3
export const inFlight = 256
const goal = 0.7

export const benchRealtime = async (folder: string, items: number): Promise<void> => {
  await using fake = await startFake(["--bare", "--latency-ms", "20"])
  const input = path.join(folder, "items.jsonl")
  await writeItems(input, items, mailText)
  const raw = [await rawRequests(fake.openaiUrl, items, inFlight)]
  const work: Array<number> = []
  const whole: Array<number> = []
  const ratios: Array<number> = []
  let peakMb = 0
  for (let round = 1; round <= rounds; round++) {
    await fake.reset()
    const state = path.join(folder, `state-${round}`)
    const { said, watched } = await runPaid({ fake, state, input, model: "bare" })
    const { paidCalls, paidItems, maxInFlight } = await fake.stats()
    if (said.delivered !== items || paidItems !== items) throw new Error(`${said.delivered} of ${items} were delivered, ${paidItems} paid`)
    work.push(await workPace(state))
    whole.push(items / watched.seconds)
    peakMb = Math.max(peakMb, watched.peakMb)
    await fake.reset()
    raw.push(await rawRequests(fake.openaiUrl, items, inFlight))
    const [before = 0, after = 0] = raw.slice(-2)
    ratios.push((work.at(-1) ?? 0) / ((before + after) / 2))
    line(`round ${round}`, `${perSecond(work.at(-1) ?? 0)} between ${perSecond(before)} and ${perSecond(after)} bare`, "")
    if (round === rounds) line("calls, most in flight", `${paidCalls}, ${maxInFlight}`, `${items}, ≤ ${inFlight}`, maxInFlight <= inFlight)
  }
  const ratio = median(ratios)
  line(
    "work, of bare undici.request",
    `${share(ratio)} (${perSecond(median(work))} of ${perSecond(median(raw))})`,
    `≥ ${goal}`,
    ratio >= goal
  )
  line("whole process", `${perSecond(median(whole))}`, "")
  line("peak RSS", `${peakMb.toFixed(0)} MB`, "")
}
