/** Until when nothing may be sent at all: as long as the provider asks for, or as long as seems wise. */

/** First wait without a Retry-After, at most; doubles with every refusal that no success came between. */
const backOffMs = 1_000
/** Up to this: an overload that lasts is the breaker's to wait out, and its probes are not to be held up here. */
const backOffMsMax = { "rate-limited": 60_000, overloaded: 5_000 } as const

/**
 * An overload that meets a call here and there, without a word of when to come back, says nothing of the others: as long as not more than this
 * share of calls is refused so, only the call itself is sent again. At most so many in a row.
 */
const strayShare = 0.05
const straysMax = 3

export type Refusal = keyof typeof backOffMsMax

export class Closing {
  readonly #random: () => number
  #until = 0
  /** Refusals in a row, of requests that were sent one after the other. */
  #refusals = 0
  #epoch = 0
  /** Stray refusals that the successes so far allow for. */
  #straysLeft = 0

  /** `random` draws from [0, 1). */
  constructor(random: () => number) {
    this.#random = random
  }

  /** The number of refusals that were heeded. A request carries the one it was sent under: one refusal of a burst speaks for all of it. */
  get epoch(): number {
    return this.#epoch
  }

  /** When it opens; 0 or a time that is past when it's open. */
  get until(): number {
    return this.#until
  }

  isClosed(now: number): boolean {
    return now < this.#until
  }

  closeUntil(at: number): void {
    if (at > this.#until) this.#until = at
  }

  /** Whether an overload is a stray one, which closes nothing; asked once for each. */
  isStray(retryAt: number | null): boolean {
    if (retryAt !== null || this.#straysLeft < 1) return false
    this.#straysLeft--
    return true
  }

  /**
   * A request that was sent under `epoch` was refused; `retryAt` is what came with it. Returns whether this is news.
   * A `retryAt` that is past means "now" once; after that it's believed no longer, or a broken provider would be hammered.
   */
  refused(kind: Refusal, epoch: number, retryAt: number | null, now: number): boolean {
    const isNews = epoch === this.#epoch
    if (retryAt !== null) this.closeUntil(retryAt)
    if (!isNews) return false
    this.#epoch++
    this.#refusals++
    const isToldToWait = retryAt !== null && (retryAt > now || this.#refusals === 1)
    if (!isToldToWait) this.closeUntil(now + this.#backOff(kind))
    return true
  }

  /**
   * Of a request that was sent under `epoch`. Refusals come faster than answers: one that was sent beside the last refused request still
   * shows that not everything is refused. What was sent long before shows nothing.
   */
  succeeded(epoch: number): void {
    if (epoch < this.#epoch - 1) return
    this.#refusals = 0
    this.#straysLeft = Math.min(straysMax, this.#straysLeft + strayShare)
  }

  /** Full jitter: anything from nothing to the bound. */
  #backOff(kind: Refusal): number {
    return this.#random() * Math.min(backOffMsMax[kind], backOffMs * 2 ** Math.min(this.#refusals - 1, 16))
  }
}
