import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { local } from "../../../dsl/index.ts"
import { callEventually } from "../../../runtime/execute/callback.ts"
import { currentSite, onThread } from "../../../runtime/execute/thread-note.ts"
import { CallbackTimeout } from "../../../runtime/provider/callback-timeout.ts"
import { localProvider } from "../../../runtime/provider/local.ts"
import { Provider } from "../../../runtime/provider/provider.ts"

const site = { seq: 7, step: "checked", callback: 'rule "short"' }
const never: Promise<boolean> = new Promise(() => undefined)

/** What came of it after `seconds`; undefined while it waits. */
const after = <A, E>(seconds: number, effect: Effect.Effect<A, E>, declaredMs: number | null = null) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.result(Effect.provideService(effect, CallbackTimeout, declaredMs)))
    yield* TestClock.adjust(`${seconds} seconds`)
    const exit = fiber.pollUnsafe()
    yield* Fiber.interrupt(fiber)
    return exit?._tag === "Success" ? exit.value : undefined
  })

describe("a callback that waits", () => {
  it.effect("[OPS-5] for ever is given up after half a minute, or what the job allows, as hung and not as failed", () =>
    Effect.gen(function* () {
      let isInterrupted = false
      const waits = [() => never, () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (isInterrupted = true)))] as const
      for (const wait of waits) {
        const call = callEventually(site, Context.empty(), wait)
        expect(yield* after(29.9, call)).toBeUndefined()
        const told = yield* after(30, call)
        expect(told !== undefined && Result.isFailure(told) && [told.failure.codeOr("rule-failed"), told.failure.message]).toEqual([
          "hung",
          'The job\'s rule "short" failed: it did not come back within 30 s'
        ])
        expect(yield* after(30, call, 120_000), "control: the job allows two minutes").toBeUndefined()
        expect(yield* after(120, call, 120_000)).toBeDefined()
      }
      expect(isInterrupted).toBe(true)
    })
  )

  it.effect("that fails is no hung one", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(callEventually(site, Context.empty(), () => Promise.reject(new Error("no"))))
      expect(failure.codeOr("rule-failed")).toBe("rule-failed")
    })
  )

  it.effect("[OPS-5] an embedded model has ten minutes, or what the job allows, and isn't asked again", () =>
    Effect.gen(function* () {
      const model = local("slow", () => never, { version: "1" })
      const provider = yield* Effect.provide(Provider, localProvider(Context.empty()))
      const output = Schema.Struct({ label: Schema.String })
      const call = provider.call({ model, messages: [], attempt: 1, output, maxTokens: null, temperature: null })
      expect(yield* after(599, call)).toBeUndefined()
      const told = yield* after(600, call)
      expect(told !== undefined && Result.isFailure(told) && [told.failure.reason, told.failure.consequence]).toEqual(["hung", "dead"])
      expect(yield* after(5, call, 5_000)).toBeDefined()
    })
  )
})

describe("the note of who has the thread", () => {
  it("[OPS-5] names item, step and callback while it has it, and nobody afterwards, also where it throws", () => {
    expect(onThread(site, currentSite)).toEqual(site)
    expect(onThread({ ...site, seq: null }, currentSite)).toEqual({ ...site, seq: null })
    expect(currentSite()).toBeNull()
    expect(() =>
      onThread(site, () => {
        throw new Error("no")
      })
    ).toThrow("no")
    expect(currentSite()).toBeNull()
  })
})
