/** How long calls take, and from when on one that is still out says nothing of how many more may be sent. */

/** A provider that usually answers in milliseconds may take this long now and then. */
const patienceMsMin = 30_000
/** Of what is usual, spread included. */
const patienceFactor = 4

/** Smoothed as TCP smooths its round trips (RFC 6298). */
export class RoundTrip {
  #meanMs: number | null = null
  #spreadMs = 0

  answered(ms: number): void {
    if (this.#meanMs === null) {
      this.#meanMs = ms
      this.#spreadMs = ms / 2
      return
    }
    this.#spreadMs = 0.75 * this.#spreadMs + 0.25 * Math.abs(this.#meanMs - ms)
    this.#meanMs = 0.875 * this.#meanMs + 0.125 * ms
  }

  /** A call that has been out for longer is taken for hanging. Infinity while nothing has been answered. */
  get patienceMs(): number {
    if (this.#meanMs === null) return Number.POSITIVE_INFINITY
    return Math.max(patienceMsMin, patienceFactor * (this.#meanMs + 4 * this.#spreadMs))
  }
}
