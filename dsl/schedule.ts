/** When a job runs, and by when it must be done. */
import type * as Duration from "effect/Duration"

/** Fires at the instants of a cron expression in a time zone. */
export interface Cron {
  readonly kind: "cron"
  readonly expression: string
  readonly timeZone: string
  readonly within: Duration.Input
  readonly catchUp: "none" | "last" | "all"
}

interface CronOptions {
  /** An IANA zone such as `Australia/Sydney`: the host's own zone is never used. */
  readonly timeZone: string
  /** How long after the fire time the run must have ended: its deadline. */
  readonly within: Duration.Input
  /** What becomes of fire times missed while the daemon was down. Default `"last"`. */
  readonly catchUp?: Cron["catchUp"]
}

/**
 * A cron of five fields. With an hour field of `*` or of a step over it, it fires at every matching instant, in a repeated hour
 * too; any other is wall clock: a time that doesn't exist is read with the offset before the change, one that exists twice
 * fires once, the first time.
 */
export const cron = (expression: string, options: CronOptions): Cron => ({
  kind: "cron",
  expression,
  timeZone: options.timeZone,
  within: options.within,
  catchUp: options.catchUp ?? "last"
})

/** An amount of US dollars that a run never spends more than. */
export interface Usd {
  readonly usd: number
}

/** usd(40): forty US dollars. */
export const usd = (amount: number): Usd => ({ usd: amount })
