/** The fiber that watches how fast a run goes. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** What is counted: of `total` items, `done` are durable. */
export interface Counted {
  readonly total: number
  readonly done: number
}

export interface Pace {
  /** Items per second over the last half minute; null until two looks are a second apart. */
  readonly perSecond: number | null
  /** Until all are done at this pace; null while the pace is unknown or 0. */
  readonly remainingSeconds: number | null
}

const lookEveryMs = 500
const windowMs = 30_000

/** Looks twice a second, for ever, and tells what it sees. Interrupt it when the work ends. */
export const watchPace = <A extends Counted>(
  look: Effect.Effect<A>,
  tell: (seen: A, pace: Pace, now: number) => Effect.Effect<void>
): Effect.Effect<never> =>
  Effect.suspend(() => {
    const seen: Array<{ readonly at: number; readonly done: number }> = []
    return Effect.forever(
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const counted = yield* look
        seen.push({ at: now, done: counted.done })
        while (seen.length > 2 && now - (seen[0]?.at ?? now) > windowMs) seen.shift()
        yield* tell(counted, paceOf(seen, counted), now)
        yield* Effect.sleep(lookEveryMs)
      })
    )
  })

const paceOf = (seen: ReadonlyArray<{ readonly at: number; readonly done: number }>, { total, done }: Counted): Pace => {
  const first = seen[0]
  const last = seen.at(-1)
  if (first === undefined || last === undefined || last.at - first.at < 1_000) return { perSecond: null, remainingSeconds: null }
  const perSecond = (last.done - first.done) / ((last.at - first.at) / 1_000)
  return { perSecond, remainingSeconds: perSecond > 0 ? (total - done) / perSecond : null }
}
