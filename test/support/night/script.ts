/** What will happen in a night, drawn from its seed: items, weather, people, accidents. */

import { Luck } from "../luck.ts"

/** What a model says of an item: badly for the first `times` calls, then well. */
export interface Fate {
  readonly kind: "good" | "failing" | "misfit" | "truncated" | "refused" | "asked-again" | "dead-by-rule" | "review"
  readonly times: number
  readonly latencyMs: number
  /** Of a call that is billed, in units. */
  readonly costUnits: number
}

/** While it lasts, what the provider does to every call. */
export interface Weather {
  readonly kind: "down" | "overloaded" | "limited" | "hanging" | "slow"
  readonly fromMs: number
  readonly toMs: number
  /** Of `limited`: how long `Retry-After` says. */
  readonly retryAfterMs: number
}

/** What ends a session before its work is done. */
export interface Accident {
  readonly kind: "kill" | "interrupt"
  readonly afterMs: number
}

export interface Script {
  readonly seed: number
  readonly fates: ReadonlyArray<Fate>
  readonly weather: ReadonlyArray<Weather>
  /** One a session; a session without one comes to its end. */
  readonly accidents: ReadonlyArray<Accident>
  readonly partitions: number
  readonly workers: number
  readonly slots: number
  readonly concurrencyMax: number
  readonly isCascade: boolean
  readonly retriesMax: number
  /** Of the rule that asks again. */
  readonly attemptsMax: number
  readonly retryWithError: boolean
  /** A call's bound, in units. */
  readonly boundUnits: number
  readonly budgetUnits: number
  readonly failureRateMax: number | undefined
  /** What a person does at each gate that opens, in order: approves, rejects, or doesn't come at all; later ones are approved. */
  readonly decisions: ReadonlyArray<{ readonly kind: "approve" | "reject" | "never"; readonly afterMs: number }>
  /** Commits that find the disk full, by number, and how often each. */
  readonly fullDisk: ReadonlyMap<number, number>
}

const hourMs = 3_600_000

export const scriptOf = (seed: number, itemsMax: number): Script => {
  const luck = new Luck(seed)
  const items = luck.chance(0.02) ? 0 : luck.chance(0.5) ? luck.upTo(Math.min(40, itemsMax)) : luck.upTo(itemsMax)
  const trouble = luck.pick([0, 0.01, 0.05, 0.3, 1])
  const boundUnits = 64
  const fates = Array.from({ length: items }, (): Fate => fateOf(luck, luck.chance(trouble)))
  const budgetUnits = Math.ceil(boundUnits * items * luck.pick([3, 1, 0.5, 0.1])) + boundUnits
  return {
    seed,
    fates,
    weather: Array.from({ length: luck.pick([0, 0, 1, 3]) }, () => weatherOf(luck)),
    accidents: Array.from({ length: luck.pick([0, 0, 1, 2, 5]) }, () => ({
      kind: luck.pick(["kill", "kill", "interrupt"]),
      afterMs: luck.upTo(luck.pick([2_000, 60_000, hourMs]))
    })),
    partitions: luck.upTo(4),
    workers: luck.upTo(4),
    slots: luck.upTo(16),
    concurrencyMax: luck.upTo(64),
    isCascade: luck.chance(0.3),
    retriesMax: luck.pick([3, 3, 0, 1, 5]),
    attemptsMax: luck.pick([3, 2, 4]),
    retryWithError: luck.chance(0.3),
    boundUnits,
    budgetUnits,
    failureRateMax: luck.pick([undefined, undefined, 0, 0.2, 1]),
    decisions: Array.from({ length: luck.pick([0, 1, 3]) }, () => ({
      kind: luck.pick(["approve", "approve", "reject", "never"]),
      afterMs: luck.upTo(hourMs)
    })),
    fullDisk: new Map(luck.chance(0.1) ? [[luck.upTo(10), luck.upTo(3)]] : [])
  }
}

const fateOf = (luck: Luck, isBad: boolean): Fate => {
  const kind = isBad
    ? luck.pick(["failing", "misfit", "truncated", "refused", "asked-again", "dead-by-rule", "review"])
    : luck.chance(0.02)
      ? "review"
      : "good"
  return { kind, times: luck.chance(0.3) ? 1_000 : luck.upTo(4), latencyMs: luck.upTo(3_000), costUnits: luck.upTo(60) }
}

const weatherOf = (luck: Luck): Weather => {
  const fromMs = luck.upTo(luck.pick([10_000, hourMs]))
  const kind = luck.pick(["down", "overloaded", "limited", "hanging", "slow"])
  return { kind, fromMs, toMs: fromMs + luck.upTo(luck.pick([5_000, 180_000, hourMs])), retryAfterMs: luck.pick([0, 250, 5_000, 60_000]) }
}

/** The script in words, for whoever has to find out why it went wrong. */
export const tellScript = ({ fates, weather, accidents, decisions, ...rest }: Script): string => {
  const kinds = Object.entries(Object.groupBy(fates, ({ kind }) => kind)).map(([kind, of]) => `${of.length} ${kind}`)
  const at = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
  return [
    `${fates.length} items (${kinds.join(", ")})`,
    ...weather.map(({ kind, fromMs, toMs }) => `${kind} from ${at(fromMs)} to ${at(toMs)}`),
    ...accidents.map(({ kind, afterMs }, session) => `session ${session + 1}: ${kind} after ${at(afterMs)}`),
    ...decisions.map(({ kind, afterMs }, gate) => `gate ${gate + 1}: ${kind} after ${at(afterMs)}`),
    `${rest.workers} workers of ${rest.slots} slots, ${rest.concurrencyMax} at once, ${rest.isCascade ? "a cascade" : "one model"}, ${rest.retriesMax} retries, ${rest.attemptsMax} tries for a rule`,
    `budget ${rest.budgetUnits} units at ${rest.boundUnits} a call, failureRateMax ${rest.failureRateMax}, full disk at ${[...rest.fullDisk.keys()].join()}`
  ].join("; ")
}
