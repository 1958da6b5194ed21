/** Fibers that wait for something to happen, woken all at once. */
import * as Effect from "effect/Effect"

export class Waiters {
  #waiting: Array<() => void> = []

  /** Returns at the next `wake`. Check the condition again afterwards. */
  readonly wait: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const wake = (): void => resume(Effect.void)
    this.#waiting.push(wake)
    return Effect.sync(() => {
      this.#waiting = this.#waiting.filter((each) => each !== wake)
    })
  })

  wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}
