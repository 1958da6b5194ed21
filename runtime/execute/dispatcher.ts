/** Who works on which partition: the seam behind which a fleet may stand. Everything above it is the same on one machine and many. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

import type { PartitionRecord } from "../store/ledger.ts"
import { untilEmpty } from "./until-empty.ts"

/** A partition in a worker's hands. */
export interface Lease {
  readonly run: string
  readonly partition: PartitionRecord
  /** From 1. */
  readonly worker: number
}

export type DispatchEvent =
  | { readonly kind: "leased" | "finished"; readonly partition: number; readonly worker: number }
  | { readonly kind: "cancelled" }

export class Dispatcher extends Context.Service<
  Dispatcher,
  {
    /** Offers a run's unfinished partitions, in order. */
    readonly submit: (run: string, partitions: ReadonlyArray<PartitionRecord>) => Effect.Effect<void>
    /**
     * Runs `workers` workers until every submitted partition is finished or cancelled; the first failure stops them all. A worker takes its
     * next partition when the handler is done with the last one, or says by `goOn` that only stragglers of it are left.
     */
    readonly work: <E, R>(
      workers: number,
      handler: (lease: Lease, goOn: Effect.Effect<void>) => Effect.Effect<void, E, R>
    ) => Effect.Effect<void, E, R>
    /** Takes back a run's partitions that no worker holds. */
    readonly cancel: (run: string) => Effect.Effect<void>
    readonly events: (run: string) => Stream.Stream<DispatchEvent>
  }
>()("nightshift/Dispatcher") {
  /** One process: a queue and fibers, no serialisation, no polling. Every partition is worked on at least once. */
  static readonly local: Layer.Layer<Dispatcher> = Layer.effect(
    Dispatcher,
    Effect.gen(function* () {
      // As long as the caller's own list of partitions, and no longer.
      const queue = yield* Effect.acquireRelease(
        Queue.unbounded<{ readonly run: string; readonly partition: PartitionRecord }, Cause.Done>(),
        Queue.shutdown
      )
      const events = yield* Effect.acquireRelease(PubSub.sliding<DispatchEvent & { readonly run: string }>(1_000), PubSub.shutdown)
      const cancelled = new Set<string>()
      const tell = (run: string, event: DispatchEvent): Effect.Effect<void> => Effect.asVoid(PubSub.publish(events, { ...event, run }))
      return Dispatcher.of({
        submit: (run, partitions) =>
          Effect.asVoid(
            Queue.offerAll(
              queue,
              partitions.map((partition) => ({ run, partition }))
            )
          ),
        work: <E, R>(workers: number, handler: (lease: Lease, goOn: Effect.Effect<void>) => Effect.Effect<void, E, R>) => {
          const lease = (number: number, run: string, partition: PartitionRecord, goOn: Effect.Effect<void>) =>
            Effect.gen(function* () {
              yield* tell(run, { kind: "leased", partition: partition.partition, worker: number })
              yield* handler({ run, partition, worker: number }, goOn)
              yield* tell(run, { kind: "finished", partition: partition.partition, worker: number })
            })
          const worker = (number: number) =>
            Effect.gen(function* () {
              const leases = yield* FiberSet.make<void, E>()
              const takeAll = Effect.gen(function* () {
                for (;;) {
                  const taken = yield* Effect.exit(Queue.take(queue))
                  if (Exit.isFailure(taken)) return
                  const { run, partition } = taken.value
                  if (cancelled.has(run)) continue
                  const isFree = Deferred.makeUnsafe<void>()
                  const goOn = Effect.asVoid(Deferred.succeed(isFree, undefined))
                  yield* FiberSet.run(leases, Effect.ensuring(lease(number, run, partition, goOn), goOn))
                  yield* Deferred.await(isFree)
                }
              })
              yield* untilEmpty(leases, takeAll)
            }).pipe(Effect.scoped)
          return Effect.andThen(
            Queue.end(queue),
            Effect.forEach(
              Array.from({ length: workers }, (_, index) => index + 1),
              worker,
              { concurrency: "unbounded", discard: true }
            )
          )
        },
        cancel: (run) =>
          Effect.andThen(
            Effect.sync(() => cancelled.add(run)),
            tell(run, { kind: "cancelled" })
          ),
        events: (run) => Stream.fromPubSub(events).pipe(Stream.filter((event) => event.run === run))
      })
    })
  )
}
