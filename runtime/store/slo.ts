/** The service levels that a run is held against: numbers of the batch-processing pattern (its section 10), once for SQL views and reports. */

export interface Slo {
  readonly slo: "within-sla" | "primary-failure-rate" | "dead-letter-rate" | "cost-overrun" | "pass-rate"
  /** The value that is just not good enough any more, or just still good where `isAtLeast` or `mayEqual` say so. */
  readonly target: number
  /** Beyond it somebody must look; null where any miss is that. */
  readonly alert: number | null
  /** Whether more is better. */
  readonly isAtLeast: boolean
  /** Whether the target itself is met. */
  readonly mayEqual: boolean
}

/** Beyond these somebody must look: also at a run's gates, where its job declares no rate of its own. */
export const alertRates = { primaryFailureMax: 0.05, passMin: 0.99 } as const
/** A rate that nobody declared stops a run from so many items on: with fewer, one bad item would always be too many. */
export const alertItemsMin = 100

/** In the order of reports. A rate is a share of 1; `within-sla` is elapsed time over allowed time. */
export const slos: ReadonlyArray<Slo> = [
  { slo: "within-sla", target: 1, alert: null, isAtLeast: false, mayEqual: true },
  { slo: "primary-failure-rate", target: 0.02, alert: alertRates.primaryFailureMax, isAtLeast: false, mayEqual: false },
  { slo: "dead-letter-rate", target: 0.001, alert: 0, isAtLeast: false, mayEqual: false },
  { slo: "cost-overrun", target: 0, alert: null, isAtLeast: false, mayEqual: true },
  { slo: "pass-rate", target: 0.995, alert: alertRates.passMin, isAtLeast: true, mayEqual: false }
]

/**
 * Codes of stops that are about an answer: it came, and could not go on. All others mean that none came, which says nothing of the
 * model's or the prompt's quality.
 */
const answerFaults = [
  "rule",
  "rule-failed",
  "wrong-schema",
  "not-json",
  "truncated",
  "empty-after-reasoning",
  "refused",
  "filtered",
  "confidence-failed",
  "accept-failed",
  "low-confidence"
]

/** SQL: whether a checkpoint, whose columns these are, tells of an answer that was looked at. */
export const isJudged = `(status in ('answered', 'passed', 'deferred') or code in (${answerFaults.map((code) => `'${code}'`).join(", ")}))`

/** Whether a value is good enough; null where it isn't known. */
export const isMet = ({ target, isAtLeast, mayEqual }: Slo, value: number | null): boolean | null => {
  if (value === null) return null
  return value === target ? mayEqual : isAtLeast ? value > target : value < target
}

/** Whether somebody must look. */
export const isAlerting = (slo: Slo, value: number | null): boolean => {
  if (value === null || slo.alert === null) return isMet(slo, value) === false
  return slo.isAtLeast ? value < slo.alert : value > slo.alert
}

/** `isMet` in SQL, over a column `value`. */
export const metSql = ({ target, isAtLeast, mayEqual }: Slo): string => `value ${isAtLeast ? ">" : "<"}${mayEqual ? "=" : ""} ${target}`

/** `isAlerting` in SQL. */
export const alertSql = (slo: Slo): string =>
  slo.alert === null ? `coalesce(not (${metSql(slo)}), false)` : `coalesce(value ${slo.isAtLeast ? "<" : ">"} ${slo.alert}, false)`
