import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

import { Capacity } from "../../../runtime/guard/capacity.ts"

/** Workers that work until they are told to go home, in the order in which they came. */
const crew = (capacity: Capacity) => {
  const atWork: Array<number> = []
  const homeBells = new Map<number, Deferred.Deferred<void>>()
  const hire = (worker: number) =>
    Effect.forkChild(
      capacity.admit((leave) =>
        Effect.gen(function* () {
          atWork.push(worker)
          const bell = Deferred.makeUnsafe<void>()
          homeBells.set(worker, bell)
          yield* Deferred.await(bell)
          yield* leave
          yield* leave
        })
      ),
      { startImmediately: true }
    )
  return { atWork, hire, sendHome: (worker: number) => Deferred.succeed(homeBells.get(worker)!, undefined) }
}

describe("capacity", () => {
  it.effect("[EXE-2] lets so many work as it has places, first come, first served, and more as soon as there are more", () =>
    Effect.gen(function* () {
      const capacity = new Capacity(2, 4)
      const { atWork, hire, sendHome } = crew(capacity)
      const workers = yield* Effect.forEach([1, 2, 3, 4, 5, 6], hire)
      expect(atWork).toEqual([1, 2])
      yield* sendHome(1)
      yield* Fiber.join(workers[0]!)
      expect(atWork).toEqual([1, 2, 3])
      capacity.set(9)
      expect([capacity.target, atWork]).toEqual([4, [1, 2, 3, 4, 5]])
      yield* Effect.forEach(workers, Fiber.interrupt)
      expect(capacity.working).toBe(0)
    })
  )

  it.effect("[EXE-2] with fewer places nobody new begins until enough have left, and with none nobody does", () =>
    Effect.gen(function* () {
      const capacity = new Capacity(3, 4)
      const { atWork, hire, sendHome } = crew(capacity)
      const workers = yield* Effect.forEach([1, 2, 3, 4, 5], hire)
      capacity.set(1)
      yield* sendHome(1)
      yield* Fiber.join(workers[0]!)
      yield* sendHome(2)
      yield* Fiber.join(workers[1]!)
      expect(atWork).toEqual([1, 2, 3])
      yield* sendHome(3)
      yield* Fiber.join(workers[2]!)
      expect(atWork).toEqual([1, 2, 3, 4])
      capacity.set(0)
      yield* sendHome(4)
      yield* Fiber.join(workers[3]!)
      expect(atWork).toEqual([1, 2, 3, 4])
      yield* Fiber.interrupt(workers[4]!)
      expect(capacity.working).toBe(0)
    })
  )

  it.effect("[EXE-2] a run without a deadline waits for nobody", () =>
    Effect.gen(function* () {
      const { atWork, hire } = crew(Capacity.unbounded())
      const workers = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, worker) => worker),
        hire
      )
      expect(atWork).toHaveLength(100)
      yield* Effect.forEach(workers, Fiber.interrupt)
    })
  )
})
