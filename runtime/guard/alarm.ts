/** One timer for a whole waiting line: a fiber that sleeps until the next time at which somebody's turn may come. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { SteadyTime } from "./steady-time.ts"

/** The shortest sleep that a machine's timers can do: less would be a busy loop. */
const sleepMsMin = 1

export class Alarm {
  readonly #time: SteadyTime
  readonly #ring: () => void
  #at: number | null = null
  #rewind: (() => void) | null = null
  #isMoved = false

  /** Sleeps and rings until the scope closes. */
  static readonly make = (time: SteadyTime, ring: () => void): Effect.Effect<Alarm, never, Scope.Scope> => {
    const alarm = new Alarm(time, ring)
    return Effect.as(Effect.forkScoped(Effect.forever(alarm.#turn)), alarm)
  }

  private constructor(time: SteadyTime, ring: () => void) {
    this.#time = time
    this.#ring = ring
  }

  /** The earliest of the times asked for counts; a ring that came too early is set again by whoever needs it. */
  ringAt(at: number): void {
    if (this.#at !== null && this.#at <= at) return
    this.#at = at
    this.#isMoved = true
    this.#rewind?.()
  }

  readonly #turn: Effect.Effect<void> = Effect.suspend(() => {
    this.#isMoved = false
    if (this.#at === null) return this.#moved
    const waitMs = this.#at - this.#time.now()
    if (waitMs <= 0) return this.#ringIfDue
    const duration = Math.max(sleepMsMin, Math.ceil(waitMs))
    return Effect.andThen(Effect.timeoutOrElse(this.#moved, { duration, orElse: () => Effect.void }), this.#ringIfDue)
  })

  readonly #ringIfDue = Effect.sync(() => {
    if (this.#at === null || this.#at > this.#time.now()) return
    this.#at = null
    this.#ring()
  })

  readonly #moved: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.#isMoved) return resume(Effect.void)
    this.#rewind = () => {
      this.#rewind = null
      resume(Effect.void)
    }
    return Effect.sync(() => void (this.#rewind = null))
  })
}
