import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

import { Batch } from "../../../runtime/store/batch.ts"
import { GroupCommit } from "../../../runtime/store/group-commit.ts"
import type { Settlement } from "../../../runtime/store/ledger.ts"
import { Patience } from "../../../runtime/store/patience.ts"
import { StoreError } from "../../../runtime/store/store-error.ts"
import { eventually, settlementOf } from "../../support/ledger-run.ts"

class SeqBatch extends Batch {
  readonly seqs: Array<number> = []
  protected override keep({ seq }: Settlement): void {
    this.seqs.push(seq)
  }
}

const full = new StoreError({ reason: "full", path: "state.duckdb", detail: "No space left on device", holderPid: null })
const failing = new StoreError({ reason: "unreadable", path: "state.duckdb", detail: "EIO: i/o error, write", holderPid: null })
const broken = new StoreError({ reason: "query", path: "committing", detail: "Constraint Error", holderPid: null })

const settlement = (seq: number): Settlement => settlementOf({ seq, itemId: `i-${seq}` })

/** A committer whose disk is a list of commits; `refuse` says what a write fails with. */
const start = Effect.fnUntraced(function* (disk: {
  written: Array<ReadonlyArray<number>>
  refuse: StoreError | null
  onWrite?: Effect.Effect<void>
}) {
  const patience = new Patience(() => Effect.void)
  const write = (batch: SeqBatch): Effect.Effect<void, StoreError> =>
    Effect.gen(function* () {
      yield* disk.onWrite ?? Effect.void
      if (disk.refuse !== null) return yield* disk.refuse
      disk.written.push([...batch.seqs])
    })
  const commits = yield* GroupCommit.make({ open: (number) => new SeqBatch(number), write, lastCommit: 0, patience })
  return { commits, patience }
})

const emptyDisk = () => ({ written: new Array<ReadonlyArray<number>>(), refuse: null as StoreError | null })

describe("group commit", () => {
  it.effect("commits 500 at once, and starts the next while it writes", () =>
    Effect.gen(function* () {
      const disk = emptyDisk()
      const { commits } = yield* start(disk)
      for (let seq = 0; seq < 1_200; seq++) yield* commits.settle(settlement(seq))
      yield* commits.flush
      expect(disk.written.flat()).toEqual(Array.from({ length: 1_200 }, (_, seq) => seq))
      expect(disk.written.length).toBeLessThanOrEqual(4)
      expect(commits.dispositions.delivered).toBe(1_200)
    })
  )

  it.effect.each([
    ["the disk is full", full],
    ["writing fails with an I/O error", failing]
  ] as const)("[CHK-4] [OPS-5] checkpoint store unavailable: waits while %s, says so, and loses nothing when it's over", ([, trouble]) =>
    Effect.gen(function* () {
      const disk = emptyDisk()
      let tries = 0
      const { commits, patience } = yield* start({
        ...disk,
        written: disk.written,
        get refuse() {
          return disk.refuse
        },
        onWrite: Effect.sync(() => void tries++)
      })
      disk.refuse = trouble
      for (let seq = 0; seq < 1_000; seq++) yield* commits.settle(settlement(seq))
      const waiting = yield* Effect.forkChild(commits.settle(settlement(1_000)))
      const flushing = yield* Effect.forkChild(commits.flush)
      yield* eventually(Effect.sync(() => patience.trouble !== null))
      expect(patience.trouble).toBe(trouble.message)
      // At 0.5, 1.5, 3.5, 7.5 s and then every ten seconds.
      for (const [seconds, expected] of [
        [0.4, 1],
        [0.1, 2],
        [1, 3],
        [2, 4],
        [4, 5],
        [8, 6],
        [10, 7],
        [10, 8]
      ] as const) {
        yield* TestClock.adjust(`${seconds} seconds`)
        expect(tries).toBe(expected)
      }
      expect(commits.uncommitted).toBe(1_000)
      expect(waiting.pollUnsafe()).toBeUndefined()
      disk.refuse = null
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(waiting)
      yield* Fiber.join(flushing)
      yield* commits.flush
      expect(patience.trouble).toBeNull()
      expect(disk.written.flat()).toEqual(Array.from({ length: 1_001 }, (_, seq) => seq))
    })
  )

  it.effect("a failure that waiting can't mend fails whoever settles, flushes or waits for room", () =>
    Effect.gen(function* () {
      const disk = { ...emptyDisk(), refuse: broken }
      const gate = yield* Deferred.make<void>()
      const { commits } = yield* start({ ...disk, onWrite: Deferred.await(gate) })
      for (let seq = 0; seq < 1_000; seq++) yield* commits.settle(settlement(seq))
      const waiting = yield* Effect.forkChild(commits.settle(settlement(1_000)))
      const flushing = yield* Effect.forkChild(commits.flush)
      yield* eventually(Effect.sync(() => commits.uncommitted === 1_000))
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Effect.flip(Fiber.join(waiting))).toBe(broken)
      expect(yield* Effect.flip(Fiber.join(flushing))).toBe(broken)
      expect(yield* Effect.flip(commits.settle(settlement(1_001)))).toBe(broken)
      expect(yield* Effect.flip(commits.flush)).toBe(broken)
    })
  )

  it.effect("[CRD-3] a scope that closes lets the commit in flight end, then commits the rest, each once", () =>
    Effect.gen(function* () {
      const disk = emptyDisk()
      const gate = yield* Deferred.make<void>()
      const began = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const onWrite = Effect.andThen(Deferred.succeed(began, undefined), Deferred.await(gate))
      const { commits } = yield* Scope.provide(start({ ...disk, written: disk.written, onWrite }), scope)
      for (let seq = 0; seq < 600; seq++) yield* commits.settle(settlement(seq))
      yield* Deferred.await(began)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* eventually(Effect.sync(() => commits.uncommitted === 600))
      expect(disk.written).toEqual([])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      expect(disk.written.flat()).toEqual(Array.from({ length: 600 }, (_, seq) => seq))
    })
  )

  it.effect("[CHK-2] a scope that closes while the disk is full tries once more, and never skips a commit", () =>
    Effect.gen(function* () {
      for (const hasRoom of [true, false]) {
        const disk = emptyDisk()
        const scope = yield* Scope.make()
        const { commits, patience } = yield* Scope.provide(
          start({
            get written() {
              return disk.written
            },
            get refuse() {
              return disk.refuse
            }
          }),
          scope
        )
        disk.refuse = full
        for (let seq = 0; seq < 700; seq++) yield* commits.settle(settlement(seq))
        yield* eventually(Effect.sync(() => patience.trouble !== null))
        if (hasRoom) disk.refuse = null
        yield* Scope.close(scope, Exit.void)
        expect(disk.written.flat()).toEqual(hasRoom ? Array.from({ length: 700 }, (_, seq) => seq) : [])
      }
    })
  )

  it.effect("wakes everyone though fibers yield at every third step", () =>
    Effect.gen(function* () {
      const disk = emptyDisk()
      const { commits } = yield* start({ ...disk, written: disk.written, onWrite: Effect.yieldNow })
      const settleSome = (first: number) =>
        Effect.gen(function* () {
          for (let seq = first; seq < 3_000; seq += 30) {
            yield* commits.settle(settlement(seq))
            if (seq % 7 === 0) yield* commits.flush
          }
        })
      yield* Effect.forEach(
        Array.from({ length: 30 }, (_, first) => first),
        settleSome,
        { concurrency: "unbounded", discard: true }
      )
      yield* commits.flush
      expect(disk.written.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, seq) => seq))
    }).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, 3))
  )
})
