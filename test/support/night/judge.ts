/** What must be true of every night, whatever happened in it. */
import type { Plan } from "../../../dsl/index.ts"
import { auditDisk, type MemoryDisk } from "../../../runtime/store/memory-disk.ts"
import { truthOf, unitUsd, type ScriptedProvider } from "./provider.ts"
import type { Fate, Script } from "./script.ts"

export interface Night {
  readonly script: Script
  readonly plan: Plan
  readonly provider: ScriptedProvider
  readonly disk: MemoryDisk
  readonly alerts: Array<string>
  sessions: number
  /** What sessions ended by, before their time. */
  readonly accidents: Array<string>
  /** The most by which the bills ever passed the envelope of that moment. */
  overspentUnits: number
  /** Calls made while a gate waited. */
  gateCalls: number
  end: string
  leftUsd: number
}

/** Each invariant that doesn't hold, in words. */
export const judgeNight = (night: Night): ReadonlyArray<string> => {
  const { script, disk, alerts, overspentUnits, gateCalls, leftUsd } = night
  const said: Array<string> = []
  const claim = (holds: boolean, words: () => string): void => {
    if (!holds) said.push(words())
  }
  const audit = auditDisk(disk, 1)
  const ended = Object.values(audit.dispositions).reduce((sum, items) => sum + items, 0)
  claim(night.end === "done" || night.end === "rejected", () => `it ended as ${night.end}`)
  claim(
    audit.holds && audit.manifest === script.fates.length && ended === script.fates.length,
    () => `the run doesn't add up: ${JSON.stringify(audit)}`
  )
  claim(overspentUnits <= 0, () => `the provider billed ${overspentUnits} units more than the envelope`)
  claim(gateCalls === 0, () => `${gateCalls} calls were made while a gate waited`)
  claim(new Set(alerts).size === alerts.length, () => `alerts were told twice: ${alerts.join(", ")}`)
  claim(Math.abs(leftUsd) < unitUsd / 2, () => `$${leftUsd} stayed reserved at a calm end`)
  const isRejected = disk.money.gates.some(({ decision }) => decision === "rejected" || decision === "expired")
  claim(isRejected || audit.dispositions.held === 0, () => `${audit.dispositions.held} items are held back, and nobody said no`)
  said.push(...judgeItems(night), ...judgePayments(night))
  return said
}

const judgeItems = ({ script, disk }: Night): ReadonlyArray<string> => {
  const said: Array<string> = []
  for (const [seq, { key }] of disk.items.entries()) {
    const item = Number(key)
    const history = disk.historyOf(seq)
    const fate = script.fates[item]
    const [end] = history.ends
    if (fate === undefined || end === undefined) continue
    const row = history.row(seq, disk.items[seq]!, "checked")
    const topic = row === null ? null : String((JSON.parse(row.output) as { topic: string }).topic)
    if (end.disposition === "delivered" && topic !== truthOf(item)) said.push(`item ${item} was delivered with the answer ${topic}`)
    if (end.disposition === "delivered" && ["refused", "dead-by-rule", "review"].includes(fate.kind))
      said.push(`item ${item} was delivered, and is one to be ${fate.kind}`)
    if (end.disposition === "review" && fate.kind !== "review") said.push(`item ${item} waits for review, and is ${fate.kind}`)
    if (end.disposition === "dead" && script.weather.length === 0 && !isHopeless(fate, script))
      said.push(`item ${item} is dead, and one more try would have been answered: ${fate.kind}, ${fate.times} times`)
  }
  return said
}

/** Whether the tries that a job allows end before the item's bad luck does. */
const isHopeless = ({ kind, times }: Fate, { retriesMax, attemptsMax }: Script): boolean => {
  if (kind === "failing" || kind === "misfit") return times > retriesMax
  // Twice the room, then four times; the same again would be in vain.
  if (kind === "truncated") return times > Math.min(retriesMax, 2)
  if (kind === "asked-again") return times >= attemptsMax
  return kind !== "good"
}

/** Tries are counted without gaps or repeats, and end; what was on its way at a kill is all that may have been paid for twice. */
const judgePayments = ({ disk, provider, script, sessions }: Night): ReadonlyArray<string> => {
  const said: Array<string> = []
  const { retriesMax, attemptsMax } = script
  const tries = new Map<string, Array<number>>()
  for (const { seq, attempts } of disk.commits.flat())
    for (const { variant, attempt } of attempts) {
      const call = `item ${disk.items[seq]?.key} at ${variant.step}`
      tries.set(call, [...(tries.get(call) ?? []), attempt])
    }
  for (const [call, numbers] of tries) {
    const sorted = numbers.toSorted((a, b) => a - b)
    if (sorted.some((attempt, index) => attempt !== index + 1)) said.push(`${call} has the durable tries ${sorted.join(", ")}`)
    // A rule's retries begin the count anew: each of them may fail as often.
    if (sorted.length > (retriesMax + 1) * attemptsMax) said.push(`${call} was tried ${sorted.length} times`)
  }
  // Answered, and not durable: in flight or uncommitted when a session ended before its time.
  const answered = provider.answered
  const durable = disk.commits.flat().reduce((sum, { attempts }) => sum + attempts.filter(({ tier }) => tier !== "reused").length, 0)
  const early = Math.min(script.accidents.length, sessions)
  const bound = early * (script.workers * script.slots + uncommittedMax)
  if (answered - durable > bound) said.push(`${answered - durable} answers were lost, and at most ${bound} may be`)
  return said
}

const uncommittedMax = 1_000
