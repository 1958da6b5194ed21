/** When a run will be done, with how far that may be off, and what its deadline asks for (SLA-1, SLA-2). Pure but for what it has seen. */

/** Epoch ms. */
export interface Deadline {
  /** When the run was created: a wait at a gate, or for a person who resumes it, counts. */
  readonly startedAt: number
  readonly at: number
}

/** What is known at a moment. */
export interface Look {
  readonly now: number
  /** Items of the manifest; null while it's being built. */
  readonly total: number | null
  /** Items that are durable. */
  readonly done: number
  /** Open items that nobody works on yet. */
  readonly waiting: ReadonlyArray<Waiting>
}

/** Items that come through at a time of their own: in a provider batch, or in the retry queue until they are due. Epoch ms. */
export interface Waiting {
  readonly items: number
  readonly low: number
  readonly at: number
  readonly high: number
  /** Whether they have to be worked on from then on, at the run's pace. */
  readonly isWorked: boolean
}

/** Epoch ms; null where nothing tells. */
export interface Projection {
  readonly etaAt: number | null
  /** The earliest that the spread of the pace allows. */
  readonly etaLow: number | null
  /** The latest; null where the pace may be nothing. */
  readonly etaHigh: number | null
}

const samplesMax = 61
/** The pace of so many parts of the window shows how much it varies. */
const parts = 6
/** Standard errors on both sides: about nineteen times in twenty the pace lies within. */
const errors = 2
/** Fewer looks say nothing. */
const looksMin = 5
const looksStalled = 20
const intervalMsMin = 250
const intervalMsMax = 15_000

/** Looks at a run at even intervals, and projects its end from the pace of the last sixty. */
export class Projector {
  /** Between two looks: one that comes earlier isn't kept. */
  readonly intervalMs: number
  #samples: ReadonlyArray<{ readonly at: number; readonly done: number }> = []
  /** Since the run's capacity changed: older samples tell of another pace. */
  #fresh = 0
  #lastAt = Number.NEGATIVE_INFINITY

  /** A run with hours is looked at every quarter of a minute, one with a minute four times a second. */
  constructor(deadline: Deadline | null) {
    const within = deadline === null ? 0 : deadline.at - deadline.startedAt
    this.intervalMs = deadline === null ? 1_000 : Math.min(intervalMsMax, Math.max(intervalMsMin, within / 500))
  }

  see({ now, total, done }: Look): void {
    if (now - this.#lastAt < this.intervalMs * 0.9) return
    this.#lastAt = now
    this.#fresh++
    if (total === null) return
    if (this.#samples.length === 0) this.restart()
    this.#samples = [...this.#samples, { at: now, done }].slice(-samplesMax)
  }

  /** What was seen before says nothing of the pace from now on; it's used until there is something better. */
  restart(): void {
    this.#fresh = 0
  }

  /** Whether enough was seen since the last restart to act on. */
  get isSure(): boolean {
    return this.#fresh >= looksMin
  }

  /** Whether nothing was done for so long that more workers may help: short of that, the first answers are on their way. */
  get isStalled(): boolean {
    return this.#fresh >= looksStalled && this.#samples.at(-looksStalled)?.done === this.#samples.at(-1)?.done
  }

  /** Those since the last restart, once they show a pace. */
  get #telling() {
    const fresh = this.#samples.slice(-this.#fresh)
    const shows = this.isSure && (this.isStalled || fresh[0]?.done !== fresh.at(-1)?.done)
    return shows ? fresh : this.#samples
  }

  project({ now, total, done, waiting }: Look): Projection {
    if (total === null) return unknown
    const open = total - done
    if (open <= 0) return { etaAt: now, etaLow: now, etaHigh: now }
    const kept = waiting.reduce((sum, { items }) => sum + items, 0)
    const pace = paceOf(this.#telling, now)
    return {
      etaAt: endOf(now, Math.max(0, open - kept), pace?.mean ?? 0, waiting, "at"),
      etaLow: endOf(now, Math.max(0, open - kept), pace?.high ?? 0, waiting, "low"),
      etaHigh: endOf(now, Math.max(0, open - kept), pace?.low ?? 0, waiting, "high")
    }
  }
}

const unknown: Projection = { etaAt: null, etaLow: null, etaHigh: null }

/** First what can be worked on, then what waits, each not before its time. */
const endOf = (now: number, items: number, perMs: number, waiting: ReadonlyArray<Waiting>, bound: "low" | "at" | "high"): number | null => {
  const take = (from: number, count: number): number | null => (count === 0 ? from : perMs > 0 ? from + count / perMs : null)
  let end = take(now, items)
  for (const group of waiting.toSorted((a, b) => a[bound] - b[bound])) {
    if (end === null) return null
    end = take(Math.max(end, group[bound]), group.isWorked ? group.items : 0)
  }
  return end === null ? null : Math.round(end)
}

/** Items per ms: over the whole window, and what its spread leaves possible. */
const paceOf = (samples: ReadonlyArray<{ readonly at: number; readonly done: number }>, now: number) => {
  const first = samples[0]
  const last = samples.at(-1)
  if (first === undefined || last === undefined || last.at <= first.at) return null
  // The time since the last look counts: a run that stands still is slow at once.
  const ms = Math.max(last.at, now) - first.at
  const items = last.done - first.done
  const mean = items / ms
  const rates = partsOf(samples)
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / Math.max(1, rates.length - 1)
  // Few items vary by chance, however even the parts look.
  const error = Math.max(Math.sqrt(variance / Math.max(1, rates.length)), Math.sqrt(items) / ms)
  return { mean, low: Math.max(0, mean - errors * error), high: mean + errors * error }
}

const partsOf = (samples: ReadonlyArray<{ readonly at: number; readonly done: number }>): ReadonlyArray<number> => {
  const size = Math.max(1, Math.floor((samples.length - 1) / parts))
  const rates: Array<number> = []
  for (let from = 0; from + size < samples.length; from += size) {
    const [a, b] = [samples[from], samples[from + size]]
    if (a !== undefined && b !== undefined && b.at > a.at) rates.push((b.done - a.done) / (b.at - a.at))
  }
  return rates
}

/** A mark of the deadline's time: 70 % of it, 90 %, all of it. */
export type SlaMark = "sla-70" | "sla-90" | "sla-breach"

const shares: ReadonlyArray<readonly [SlaMark, number]> = [
  ["sla-70", 0.7],
  ["sla-90", 0.9],
  ["sla-breach", 1]
]

const atOf = ({ startedAt, at }: Deadline, share: number): number => startedAt + (at - startedAt) * share

/** The last mark that was passed; null before the first. */
export const markAt = (deadline: Deadline, now: number): SlaMark | null =>
  shares.findLast(([, share]) => now >= atOf(deadline, share))?.[0] ?? null

/** Ms until the next mark; Infinity after the last. */
export const msToNextMark = (deadline: Deadline, now: number): number =>
  Math.min(...shares.map(([, share]) => atOf(deadline, share) - now).filter((ms) => ms > 0), Number.POSITIVE_INFINITY)

/** Whether the deadline will be missed as far as can be told. A run that stands still misses it. */
export const isMissed = ({ etaAt }: Projection, deadline: Deadline): boolean => etaAt === null || etaAt > deadline.at

/** Of what is left until the deadline, so much is planned with. */
const plannedShare = 0.9
const growthMin = 1.25
const growthMax = 2

/** How many workers a run should have that has `workers` now and is projected to end at `etaAt`; the same where nothing asks for more. */
export const workersWanted = (workers: number, etaAt: number | null, deadline: Deadline, now: number): number => {
  const leftMs = (deadline.at - now) * plannedShare
  if (etaAt !== null && etaAt - now <= leftMs) return workers
  const growth = etaAt === null || leftMs <= 0 ? growthMax : Math.min(growthMax, Math.max(growthMin, (etaAt - now) / leftMs))
  return Math.ceil(workers * growth)
}
