import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

import { Waiters } from "../../../runtime/store/waiters.ts"

const yields = (times: number): Effect.Effect<void> => Effect.repeat(Effect.yieldNow, { times })

/** Whether a fiber that yields at every `ops`-th step, and begins to wait after `before` of them, sees a wake that comes `after` turns. */
const seesWake = (ops: number, before: number, after: number) =>
  Effect.gen(function* () {
    const waiters = new Waiters()
    let isReady = false
    const wait = Effect.gen(function* () {
      for (let step = 0; step < before; step++) yield* Effect.void
      yield* waiters.until(() => isReady)
    })
    const fiber = yield* Effect.forkChild(Effect.provideService(wait, Scheduler.MaxOpsBeforeYield, ops))
    yield* yields(after)
    isReady = true
    waiters.wake()
    yield* yields(60)
    return fiber.pollUnsafe() !== undefined
  })

describe("a waiter", () => {
  it.effect("sees every wake, also one that comes while its fiber has yielded on the way to wait", () =>
    Effect.gen(function* () {
      for (const ops of [3, 4, 5, 6]) {
        for (let before = 0; before < 8; before++) {
          for (let after = 0; after < 16; after++)
            expect(yield* seesWake(ops, before, after), JSON.stringify({ ops, before, after })).toBe(true)
        }
      }
    })
  )

  it.effect("stays asleep while its condition doesn't hold, and leaves when it is interrupted", () =>
    Effect.gen(function* () {
      const waiters = new Waiters()
      let count = 0
      const fibers = yield* Effect.forEach([1, 2, 3], (n) => Effect.forkChild(waiters.until(() => count >= n)))
      yield* yields(3)
      yield* Fiber.interrupt(fibers[2]!)
      for (const expected of [1, 2, 2]) {
        count++
        waiters.wake()
        yield* yields(3)
        expect(fibers.slice(0, 2).filter((fiber) => fiber.pollUnsafe() !== undefined)).toHaveLength(expected)
      }
    })
  )
})
