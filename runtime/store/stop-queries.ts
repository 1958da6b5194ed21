/** Stops queries that nobody wants any more. DuckDB never returns from closing a connection that it works on. */
import { AsyncLocalStorage } from "node:async_hooks"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

export interface Interruptible {
  readonly interrupt: () => void
}

/** What DuckDB works on now, of all that runs within it: a promise of several queries can be stopped though its caller sees none of them. */
export const runningQueries = new AsyncLocalStorage<Set<Interruptible>>()

/** Asks the queries to stop until `isDone`: one request isn't enough, for DuckDB forgets those that come before it has begun. */
export const stopQueries = (queries: ReadonlySet<Interruptible>, isDone: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (isDone()) return Effect.void
    for (const query of queries) query.interrupt()
    return Effect.andThen(pause, stopQueries(queries, isDone))
  })

/** On the machine's clock: DuckDB doesn't know a test's. */
const pause = Effect.provideService(Effect.sleep("5 millis"), Clock.Clock, Clock.Clock.defaultValue())
