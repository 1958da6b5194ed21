import { createHash } from "node:crypto"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import { MemoryLedger, type MemoryLedgerOptions } from "../../../runtime/store/ledger-memory.ts"
import { MemoryDisk } from "../../../runtime/store/memory-disk.ts"
import { StoreError } from "../../../runtime/store/store-error.ts"
import { begin, beginSealed, eventually, pendingItems, settleAll, settlementOf, twoEnds } from "../../support/ledger-run.ts"

const hashKey = (key: string): Buffer => createHash("sha256").update(key).digest()
const open = (over: Partial<MemoryLedgerOptions> = {}) => MemoryLedger.open({ plan: twoEnds, hashKey, ...over })
const full = new StoreError({ reason: "full", path: "state.duckdb", detail: "No space left on device", holderPid: null })

describe("a process on a ledger in memory", () => {
  it.effect("that crashed writes nothing more, and everything that it tries fails", () =>
    Effect.gen(function* () {
      const ledger = yield* open()
      yield* beginSealed(ledger, 4)
      const items = yield* pendingItems(ledger)
      yield* settleAll(ledger, items.slice(0, 1))
      yield* ledger.settle(settlementOf(items[1]!))
      const disk = ledger.crash()
      for (const work of [
        ledger.settle(settlementOf(items[2]!)),
        ledger.flush,
        ledger.lease(0, 1),
        ledger.close("done", null),
        ledger.saveSummary("a", 1)
      ]) {
        expect((yield* Effect.flip(work)).message).toContain("the process was killed")
      }
      yield* TestClock.adjust("1 minute")
      expect(disk.commits.map((settlements) => settlements.map(({ seq }) => seq))).toEqual([[0]])
      expect([disk.run?.status, disk.summaries.size, disk.halfCommit]).toEqual(["running", 0, []])
    })
  )

  it.effect("can be killed before either half of any commit, and the next one goes on from what is whole", () =>
    Effect.gen(function* () {
      for (const half of ["payload", "state"] as const) {
        for (const commit of [1, 2, 3]) {
          const disk = new MemoryDisk()
          yield* Effect.scoped(
            Effect.gen(function* () {
              const ledger = yield* open({ disk, fault: (number, name) => (number === commit && name === half ? "kill" : null) })
              yield* beginSealed(ledger, 6)
              const items = yield* pendingItems(ledger)
              const settleTwo = (from: number) => settleAll(ledger, items.slice(from, from + 2))
              yield* Effect.flip(Effect.andThen(settleTwo(0), Effect.andThen(settleTwo(2), settleTwo(4))))
            })
          )
          expect(disk.commits).toHaveLength(commit - 1)
          expect(disk.halfCommit).toHaveLength(half === "state" ? 2 : 0)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const ledger = yield* open({ disk })
              yield* begin(ledger)
              expect(disk.halfCommit).toEqual([])
              const items = yield* pendingItems(ledger)
              expect(items).toHaveLength(6 - 2 * (commit - 1))
              yield* settleAll(ledger, items)
              expect(yield* ledger.completeness).toMatchObject({ holds: true, dispositions: { delivered: 6 } })
              expect((yield* ledger.tally).spentUsd).toBe(3)
            })
          )
        }
      }
    })
  )

  it.effect("[CHK-4] whose disk is full for an hour waits that long and loses nothing", () =>
    Effect.gen(function* () {
      let isFull = true
      const ledger = yield* open({ fault: () => (isFull ? full : null) })
      yield* beginSealed(ledger, 5)
      const settling = yield* Effect.forkChild(settleAll(ledger, yield* pendingItems(ledger)))
      yield* eventually(Effect.map(ledger.tally, ({ trouble }) => trouble === full.message))
      yield* TestClock.adjust("1 hour")
      expect(yield* ledger.tally).toMatchObject({ committed: 0, inFlight: 5, trouble: full.message })
      isFull = false
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(settling)
      expect(yield* ledger.tally).toMatchObject({ committed: 5, inFlight: 0, trouble: null })
    })
  )
})
