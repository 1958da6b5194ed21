/** Fibers that are started one after the other, and waited for together. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"

/** Runs `start`, which adds to the set, and waits for the set's fibers; the first failure, of either, ends all at once. */
export const untilEmpty = <A, E, E2, R>(
  fibers: FiberSet.FiberSet<A, E>,
  start: Effect.Effect<void, E2, R>
): Effect.Effect<void, E | E2, R> =>
  Effect.andThen(
    Effect.raceFirst(Effect.andThen(start, FiberSet.awaitEmpty(fibers)), FiberSet.join(fibers)),
    // The last fiber's failure also empties the set, and may lose the race to it.
    Effect.suspend(() => (Deferred.isDoneUnsafe(fibers.deferred) ? FiberSet.join(fibers) : Effect.void))
  )
