/** Counts what happened in the last seconds, second by second, in constant memory. */

export class Meter {
  readonly #counts: Float64Array
  #second = 0
  #sum = 0

  /** Remembers this many seconds, the one that is running among them. */
  constructor(seconds: number) {
    this.#counts = new Float64Array(seconds)
  }

  /** `now` in ms, never less than it was at the last call. */
  add(now: number): void {
    this.#advance(now)
    const slot = this.#second % this.#counts.length
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1
    this.#sum++
  }

  /** Of all remembered seconds. */
  sum(now: number): number {
    this.#advance(now)
    return this.#sum
  }

  clear(): void {
    this.#counts.fill(0)
    this.#sum = 0
  }

  #advance(now: number): void {
    const second = Math.floor(now / 1_000)
    const steps = Math.min(second - this.#second, this.#counts.length)
    for (let step = 1; step <= steps; step++) {
      const slot = (second - steps + step) % this.#counts.length
      this.#sum -= this.#counts[slot] ?? 0
      this.#counts[slot] = 0
    }
    if (second > this.#second) this.#second = second
  }
}
