import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import { Patience } from "../../../runtime/store/patience.ts"
import { storeError, type StoreError } from "../../../runtime/store/store-error.ts"
import { eventually } from "../../support/ledger-run.ts"

const lost = storeError(
  "committing",
  new Error('IO Error: Checkpoint failed for database "state". The database has been invalidated. Original error: No space left on device')
)
const gone = storeError("reading", new Error('Catalog Error: Table with name "state.run" does not exist'))
const held = storeError("state.duckdb", new Error("Binder Error: Unique file handle conflict"))

describe("patience", () => {
  it.effect("[CHK-4] opens a file again that DuckDB let go of, once for all who meet it, and repeats their work", () =>
    Effect.gen(function* () {
      let isOpen = true
      let reattached = 0
      const patience = new Patience((name) => Effect.sync(() => void ((isOpen = true), reattached++, expect(name).toBe("state"))))
      let works = 0
      const work = Effect.suspend((): Effect.Effect<string, StoreError> => (works++, isOpen ? Effect.succeed("done") : Effect.fail(lost)))
      isOpen = false
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(patience.waitOut(work)))
      yield* eventually(Effect.sync(() => works === 3))
      yield* TestClock.adjust("500 millis")
      expect(yield* Fiber.joinAll(fibers)).toEqual(["done", "done", "done"])
      expect([reattached, patience.trouble]).toEqual([1, null])
    })
  )

  it.effect("goes on trying while a reader keeps the lost file from being opened, and while no table is found in it", () =>
    Effect.gen(function* () {
      let tries = 0
      let works = 0
      const patience = new Patience(() => Effect.suspend(() => (++tries < 3 ? Effect.fail(held) : Effect.void)))
      const work = Effect.suspend(() => (++works === 1 ? Effect.fail(lost) : Effect.succeed("done")))
      const fiber = yield* Effect.forkChild(patience.waitOut(work))
      const reader = yield* Effect.forkChild(
        patience.waitOut(Effect.suspend(() => (tries < 3 ? Effect.fail(gone) : Effect.succeed("read"))))
      )
      for (let turn = 0; turn < 6; turn++) yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toBe("done")
      expect(yield* Fiber.join(reader)).toBe("read")
      expect([tries, works]).toEqual([3, 2])
    })
  )

  it.effect("fails at once where waiting can't help: the same missing table, with no file lost", () =>
    Effect.gen(function* () {
      const patience = new Patience(() => Effect.void)
      expect(yield* Effect.flip(patience.waitOut(Effect.fail(gone)))).toBe(gone)
    })
  )
})
