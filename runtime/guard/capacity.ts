/** How many workers of a run may be at work, changeable while it runs (EXE-2). */
import * as Effect from "effect/Effect"

import { WaitingLine } from "./waiting-line.ts"

export class Capacity {
  readonly max: number
  #target: number
  #working = 0
  readonly #line = new WaitingLine<null, void>(() => this.#free())

  /** Unbounded, for a run without a deadline: it uses what it may. */
  static readonly unbounded = (): Capacity => new Capacity(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)

  constructor(target: number, max: number) {
    this.max = max
    this.#target = Math.min(max, target)
  }

  get target(): number {
    return this.#target
  }

  /** Workers that are at work: after the target went down it takes them the rest of their partitions to be fewer. */
  get working(): number {
    return this.#working
  }

  /** Lets those who wait through at once where there are to be more. */
  set(target: number): void {
    this.#target = Math.max(0, Math.min(this.max, target))
    this.#pump()
  }

  /** Waits for a place, first come, first served; `leave` gives it back before `work` ends, once. */
  admit<E, R>(work: (leave: Effect.Effect<void>) => Effect.Effect<void, E, R>): Effect.Effect<void, E, R> {
    let isIn = true
    const leave = Effect.sync(() => {
      if (isIn) this.#free()
      isIn = false
    })
    return Effect.acquireUseRelease(
      this.#enter,
      () => work(leave),
      () => leave
    )
  }

  readonly #enter = Effect.suspend((): Effect.Effect<void> => {
    if (this.#line.length > 0 || this.#working >= this.#target) return this.#line.wait(null, () => this.#pump())
    this.#working++
    return Effect.void
  })

  #free(): void {
    this.#working--
    this.#pump()
  }

  #pump(): void {
    while (this.#line.length > 0 && this.#working < this.#target) {
      this.#working++
      this.#line.grantFirst(undefined)
    }
  }
}
