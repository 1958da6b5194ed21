import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"

import { Dispatcher, type Lease } from "../../../runtime/execute/dispatcher.ts"

const partitions = (count: number) =>
  Array.from({ length: count }, (_, partition) => ({
    partition,
    label: null,
    firstSeq: partition,
    lastSeq: partition,
    items: 1,
    weight: 1,
    bytes: 1,
    isDone: false
  }))
const run = <A, E>(effect: Effect.Effect<A, E, Dispatcher>) => Effect.runPromise(Effect.scoped(Effect.provide(effect, Dispatcher.local)))

describe("the local dispatcher", () => {
  it("hands every partition out once, to at most as many workers as asked for", async () => {
    const leases: Array<Lease> = []
    let busy = 0
    let most = 0
    await run(
      Effect.gen(function* () {
        const dispatcher = yield* Dispatcher
        yield* dispatcher.submit("r", partitions(20))
        yield* dispatcher.work(3, (lease) =>
          Effect.gen(function* () {
            leases.push(lease)
            most = Math.max(most, ++busy)
            yield* Effect.yieldNow
            busy--
          })
        )
      })
    )
    expect(leases.map(({ partition }) => partition.partition).toSorted((a, b) => a - b)).toEqual(
      partitions(20).map(({ partition }) => partition)
    )
    expect(most).toBe(3)
  })

  it("a worker that is free takes over from one that is slow", async () => {
    const taken: Array<number> = []
    await run(
      Effect.gen(function* () {
        const dispatcher = yield* Dispatcher
        const gate = yield* Deferred.make<void>()
        yield* dispatcher.submit("r", partitions(6))
        yield* dispatcher.work(2, ({ partition, worker }) => {
          if (partition.partition === 0) return Deferred.await(gate)
          taken.push(worker)
          return partition.partition === 5 ? Effect.asVoid(Deferred.succeed(gate, undefined)) : Effect.void
        })
      })
    )
    expect(taken).toEqual([2, 2, 2, 2, 2])
  })

  it("a worker goes on while stragglers of a partition are left, and the work ends with them", async () => {
    const ended: Array<number> = []
    await run(
      Effect.gen(function* () {
        const dispatcher = yield* Dispatcher
        const gate = yield* Deferred.make<void>()
        yield* dispatcher.submit("r", partitions(4))
        yield* dispatcher.work(1, ({ partition }, goOn) =>
          Effect.gen(function* () {
            yield* goOn
            yield* partition.partition === 3 ? Deferred.succeed(gate, undefined) : Deferred.await(gate)
            ended.push(partition.partition)
          })
        )
      })
    )
    expect(ended.toSorted()).toEqual([0, 1, 2, 3])
  })

  it("a straggler's failure stops all workers", async () => {
    const failed = await run(
      Effect.gen(function* () {
        const dispatcher = yield* Dispatcher
        yield* dispatcher.submit("r", partitions(3))
        return yield* Effect.result(
          dispatcher.work(2, ({ partition }, goOn) =>
            partition.partition === 0 ? Effect.andThen(Effect.andThen(goOn, Effect.yieldNow), Effect.fail("broken")) : Effect.never
          )
        )
      })
    )
    expect(failed).toMatchObject({ _tag: "Failure", failure: "broken" })
  })

  it("the first failure stops all workers", async () => {
    let finished = 0
    const failed = await run(
      Effect.gen(function* () {
        const dispatcher = yield* Dispatcher
        yield* dispatcher.submit("r", partitions(5))
        return yield* Effect.result(
          dispatcher.work(2, ({ partition }) =>
            partition.partition === 1 ? Effect.fail("broken") : Effect.tap(Effect.never, () => Effect.sync(() => finished++))
          )
        )
      })
    )
    expect(failed).toMatchObject({ _tag: "Failure", failure: "broken" })
    expect(finished).toBe(0)
  })

  it("[CRD-3] interrupting the work interrupts every handler", async () => {
    let interrupted = 0
    await run(
      Effect.gen(function* () {
        const dispatcher = yield* Dispatcher
        const started = yield* Deferred.make<void>()
        yield* dispatcher.submit("r", partitions(4))
        let running = 0
        const fiber = yield* Effect.forkChild(
          dispatcher.work(4, () =>
            Effect.andThen(++running === 4 ? Deferred.succeed(started, undefined) : Effect.void, Effect.never).pipe(
              Effect.onInterrupt(() => Effect.sync(() => interrupted++))
            )
          )
        )
        yield* Deferred.await(started)
        yield* Fiber.interrupt(fiber)
      })
    )
    expect(interrupted).toBe(4)
  })

  it("a cancelled run's waiting partitions are taken back", async () => {
    const seen: Array<number> = []
    await run(
      Effect.gen(function* () {
        const dispatcher = yield* Dispatcher
        yield* dispatcher.submit("r", partitions(5))
        yield* dispatcher.work(1, ({ run: of, partition }) => {
          seen.push(partition.partition)
          return partition.partition === 1 ? dispatcher.cancel(of) : Effect.void
        })
      })
    )
    expect(seen).toEqual([0, 1])
  })
})
