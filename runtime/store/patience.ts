/** Waits out trouble with the disk: a full one is emptied, and nothing that was paid for is thrown away meanwhile (CHK-4). */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

import type { StoreError } from "./store-error.ts"

const firstPauseMs = 500
const pauseMsMax = 10_000

/** Work on a run's files that is repeated as long as trouble may pass. */
export class Patience {
  /** Why work waits; null when it doesn't. */
  trouble: string | null = null
  readonly #reattach: (name: string) => Effect.Effect<void, StoreError>
  readonly #lost = new Set<string>()
  readonly #mending = Semaphore.makeUnsafe(1)
  #reattached = 0

  /** `reattach` opens a file again that DuckDB let go of: it does so when a checkpoint fails, though all its commits are safe. */
  constructor(reattach: (name: string) => Effect.Effect<void, StoreError>) {
    this.#reattach = reattach
  }

  /** Repeats `work` while its trouble may pass: after half a second, then less and less often, every ten seconds at last, without an end. */
  readonly waitOut = <A>(work: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> => this.#attempt(work, firstPauseMs)

  /** Does `work` once, on files that are open again if they can be. */
  readonly once = <A>(work: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> => Effect.andThen(this.#mend, work)

  #attempt<A>(work: Effect.Effect<A, StoreError>, pauseMs: number): Effect.Effect<A, StoreError> {
    return Effect.suspend(() => {
      const reattached = this.#reattached
      return this.once(work).pipe(
        Effect.tap(() => Effect.sync(() => void (this.trouble = null))),
        Effect.catch((error) => {
          if (error.lostFile !== null && reattached === this.#reattached) this.#lost.add(error.lostFile)
          // While a file is closed and opened again, whoever looks finds no tables in it.
          const mayPass = error.isRetryable || this.#lost.size > 0 || reattached !== this.#reattached
          if (!mayPass) return Effect.fail(error)
          this.trouble = error.message
          return Effect.andThen(Effect.sleep(pauseMs), this.#attempt(work, Math.min(pauseMs * 2, pauseMsMax)))
        })
      )
    })
  }

  readonly #mend: Effect.Effect<void, StoreError> = Effect.suspend(() =>
    this.#lost.size === 0 ? Effect.void : this.#mending.withPermits(1)(this.#mendAll)
  )

  readonly #mendAll = Effect.suspend(() =>
    Effect.forEach(
      [...this.#lost],
      (name) => Effect.uninterruptible(Effect.tap(this.#reattach(name), () => Effect.sync(() => this.#mended(name)))),
      { discard: true }
    )
  )

  #mended(name: string): void {
    this.#lost.delete(name)
    this.#reattached++
  }
}
