/** Fibers that wait for a condition, looked at again at each wake. */
import * as Effect from "effect/Effect"

interface Waiter {
  readonly condition: () => boolean
  readonly resume: () => void
}

export class Waiters {
  #waiting: ReadonlyArray<Waiter> = []

  /**
   * Returns at once or at the first wake at which `condition` holds; by then another fiber may have changed it again. It's looked at in the
   * step that begins to wait: between a look before that and the wait a fiber may yield, and the wake that comes then would wake nobody.
   */
  readonly until = (condition: () => boolean): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      if (condition()) return resume(Effect.void)
      const waiter: Waiter = { condition, resume: () => resume(Effect.void) }
      this.#waiting = [...this.#waiting, waiter]
      return Effect.sync(() => {
        this.#waiting = this.#waiting.filter((each) => each !== waiter)
      })
    })

  wake(): void {
    const ready = this.#waiting.filter(({ condition }) => condition())
    this.#waiting = this.#waiting.filter((each) => !ready.includes(each))
    for (const { resume } of ready) resume()
  }
}
