/** Time that nobody sets: a wall clock that is put back an hour must not keep an account closed for an hour more. */
import type * as Clock from "effect/Clock"

export class SteadyTime {
  readonly #clock: Clock.Clock
  readonly #start: bigint

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.#start = clock.monotonicTimeNanosUnsafe()
  }

  /** Ms since this was made. */
  now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe() - this.#start) / 1e6
  }

  /** When an epoch time comes, by the wall clock as it stands. */
  of(epochMs: number): number {
    return this.now() + (epochMs - this.#clock.currentTimeMillisUnsafe())
  }

  /** What the wall clock will show then, unless it is set meanwhile. */
  epochOf(time: number): number {
    return this.#clock.currentTimeMillisUnsafe() + (time - this.now())
  }
}
