/** How much of one unit (requests, or tokens) may be sent now: a bucket that fills evenly, as fast as the provider allows. */

/** What a provider said of a limit with an answer. */
export interface Signal {
  /** Allowed a minute. */
  readonly limit: number | null
  readonly remaining: number | null
  /** Epoch ms at which `remaining` is `limit` again. */
  readonly resetAt: number | null
}

/** The bucket holds this much time's worth, and at least one: servers let shorter bursts through than they admit to. */
const burstMs = 250
/** The share of a limit that is used: room for the two clocks' difference, and for requests that overtake each other on their way. */
const limitShare = 0.98
/** A limit a minute is whole again within a minute, whatever a provider's clock says of it. */
const resetMsMax = 60_000
/** Sums of fractions may miss a whole number by this much. */
const rounding = 1e-6

export class Allowance {
  readonly #declaredPerMs: number
  /** What declarations and headers allow; Infinity while neither says anything. */
  #perMs: number
  /** Without a limit there is no bottom: what went before there was one is no debt. */
  #level = Number.POSITIVE_INFINITY
  #filledAt = 0
  #sent = 0
  /** What the provider has left until `#toldUntil`, by its last word and less what was sent since. */
  #left = Number.POSITIVE_INFINITY
  #toldUntil = 0
  /** When there is more on average: `#toldUntil` may be rounded up. */
  #spreadUntil = 0
  /** Of the request whose answer brought that word: answers come in any order. */
  #toldMark = 0

  constructor(declaredPerMinute: number | null | undefined) {
    this.#declaredPerMs = isLimit(declaredPerMinute) ? (declaredPerMinute / 60_000) * limitShare : Number.POSITIVE_INFINITY
    this.#perMs = this.#declaredPerMs
  }

  /** All that was ever taken. With it, a request marks its place in the order of sending. */
  get sent(): number {
    return this.#sent
  }

  /** Used a millisecond at most; Infinity while nothing is known. */
  get perMs(): number {
    return this.#perMs
  }

  /** Ms until so much may be sent, or until it's worth another look; 0 means now. `perMsMax` is a bound from elsewhere. */
  waitMs(need: number, perMsMax: number, now: number): number {
    const isTold = now < this.#toldUntil
    if (isTold && need > this.#left) return this.#toldUntil - now
    // What is left is spread over the time until more comes: half-full buckets of the provider's stay half full, windows are not run dry.
    const perMs = Math.min(this.#perMs, perMsMax, isTold ? this.#left / Math.max(1, this.#spreadUntil - now) : Number.POSITIVE_INFINITY)
    if (perMs === Number.POSITIVE_INFINITY) return 0
    const size = Math.max(1, perMs * burstMs)
    this.#level = Math.min(size, this.#level + Math.max(0, now - this.#filledAt) * perMs)
    this.#filledAt = Math.max(this.#filledAt, now)
    // More than the bucket holds goes when it's full, and leaves a debt.
    const missing = Math.min(need, size) - this.#level
    if (missing <= rounding) return 0
    return isTold ? Math.min(missing / perMs, this.#toldUntil - now) : missing / perMs
  }

  take(amount: number): void {
    this.#sent += amount
    this.#level -= amount
    this.#left -= amount
  }

  /** What was taken and not sent. */
  putBack(amount: number): void {
    this.#level += amount
    this.#left += amount
  }

  /** Corrects what was taken by what was used: more is given back, less (below 0) is owed. */
  giveBack(amount: number): void {
    this.#level += amount
  }

  /** Nothing goes before `at`, and what a pause could have saved up doesn't go in one piece after it: at most one. */
  drainUntil(at: number): void {
    this.#level = Math.min(this.#level, 1)
    this.#filledAt = Math.max(this.#filledAt, at)
  }

  /**
   * `mark` is `sent` as it was when the answered request had just taken its share; `resetAt` is in the same time as `now`, and so many ms
   * too late on average.
   */
  hear({ limit, remaining, resetAt }: Signal, lateMs: number, mark: number, now: number): void {
    if (isLimit(limit)) this.#perMs = Math.min(this.#declaredPerMs, (limit / 60_000) * limitShare)
    if (remaining === null || resetAt === null || mark < this.#toldMark || !Number.isFinite(remaining) || !Number.isFinite(resetAt)) return
    this.#toldMark = mark
    this.#left = remaining - (this.#sent - mark)
    this.#toldUntil = Math.min(resetAt, now + resetMsMax)
    this.#spreadUntil = this.#toldUntil - lateMs
  }
}

const isLimit = (perMinute: number | null | undefined): perMinute is number =>
  perMinute !== null && perMinute !== undefined && Number.isFinite(perMinute) && perMinute > 0
