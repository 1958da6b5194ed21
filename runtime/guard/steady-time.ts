/** Time that never runs backwards: a wall clock that is set back an hour must not keep an account closed for an hour more. */
import type * as Clock from "effect/Clock"

export class SteadyTime {
  readonly #clock: Clock.Clock
  #wall: number
  #now = 0

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.#wall = clock.currentTimeMillisUnsafe()
  }

  /** Ms since this was made, less whatever the wall clock was set back by. */
  now(): number {
    const wall = this.#clock.currentTimeMillisUnsafe()
    if (wall > this.#wall) this.#now += wall - this.#wall
    this.#wall = wall
    return this.#now
  }

  /** When an epoch time comes, by the wall clock as it stands. */
  of(epochMs: number): number {
    return this.now() + epochMs - this.#wall
  }

  /** What the wall clock will show then, unless it is set again. */
  epochOf(time: number): number {
    return time - this.now() + this.#wall
  }
}
