/** Stops queries that nobody wants any more. DuckDB never returns from closing a connection that it works on. */
import { AsyncLocalStorage } from "node:async_hooks"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

export interface Interruptible {
  readonly interrupt: () => void
}

/** What DuckDB works on now, of all that runs within it: a promise of several queries can be stopped though its caller sees none of them. */
export const queriesOfCaller = new AsyncLocalStorage<Set<Interruptible>>()

/** What DuckDB works on for one database. */
export class RunningQueries {
  readonly #running = new Set<Interruptible>()
  #isClosed = false

  /** Fails once they were closed. */
  async run<A>(query: Interruptible, work: () => Promise<A>): Promise<A> {
    if (this.#isClosed) throw new Error("the database is closed")
    const ofCaller = queriesOfCaller.getStore()
    // A key of its own: one connection may run another query before this entry is taken out.
    const key: Interruptible = { interrupt: () => query.interrupt() }
    this.#running.add(key)
    ofCaller?.add(key)
    try {
      return await work()
    } finally {
      this.#running.delete(key)
      ofCaller?.delete(key)
    }
  }

  /** Lets none begin any more, stops those that run, and waits for them. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#isClosed = true
    return stopQueries(this.#running, () => this.#running.size === 0)
  })
}

/** Asks the queries to stop until `isDone`: one request isn't enough, for DuckDB forgets those that come before it has begun. */
export const stopQueries = (queries: ReadonlySet<Interruptible>, isDone: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (isDone()) return Effect.void
    for (const query of queries) query.interrupt()
    return Effect.andThen(pause, stopQueries(queries, isDone))
  })

/** On the machine's clock: DuckDB doesn't know a test's. */
const pause = Effect.provideService(Effect.sleep("5 millis"), Clock.Clock, Clock.Clock.defaultValue())
