/** Runs what an author wrote: a value, a promise or an Effect, and an exception of any of them as data. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Eventually } from "../../dsl/index.ts"
import { callbackTimeoutDefaultMs, CallbackTimeout } from "../provider/callback-timeout.ts"
import { onThread, type CallSite } from "./thread-note.ts"

/** A callback of the job threw or failed: its text belongs to the payload, for it may quote the item. */
export class CallbackFailed extends Schema.TaggedError<CallbackFailed>()("CallbackFailed", {
  /** Which callback: `prompt`, `rule`, `accept`, … */
  callback: Schema.String,
  detail: Schema.String,
  /** Whether it neither answered nor failed: it didn't come back in time. */
  isHung: Schema.Boolean
}) {
  /** For a dead letter: what it says of a callback that failed, unless it hung. */
  codeOr(failed: string): string {
    return this.isHung ? "hung" : failed
  }
  override get message(): string {
    return `The job's ${this.callback} failed: ${this.detail}`
  }
}

/** Calls a plain callback; what it throws becomes a `CallbackFailed`. */
export const callPlain = <A>(site: CallSite, call: () => A): Effect.Effect<A, CallbackFailed> => {
  try {
    return Effect.succeed(onThread(site, call))
  } catch (cause) {
    return Effect.fail(failed(site.callback, cause))
  }
}

/** Calls a callback that may wait, for as long as the job allows; Effects get the job's services. */
export const callEventually = <A>(
  site: CallSite,
  services: Context.Context<never>,
  call: () => Eventually<A>
): Effect.Effect<A, CallbackFailed> => {
  const { callback } = site
  try {
    const eventual = onThread(site, call)
    // The compiler proved that the job has every service that its callbacks need.
    if (Effect.isEffect(eventual))
      return inTime(
        callback,
        Effect.mapError(Effect.provideContext(eventual as Effect.Effect<A, unknown>, services), (cause) => failed(callback, cause))
      )
    if (typeof eventual === "object" && eventual !== null && "then" in eventual) {
      return inTime(callback, Effect.tryPromise({ try: () => eventual as PromiseLike<A>, catch: (cause) => failed(callback, cause) }))
    }
    return Effect.succeed(eventual as A)
  } catch (cause) {
    return Effect.fail(failed(callback, cause))
  }
}

/** What waits is interrupted when its time is over; a promise that nobody awaits any more may still go on by itself. */
const inTime = <A>(callback: string, eventual: Effect.Effect<A, CallbackFailed>): Effect.Effect<A, CallbackFailed> =>
  Effect.flatMap(CallbackTimeout, (declaredMs) => {
    const timeoutMs = declaredMs ?? callbackTimeoutDefaultMs
    const detail = `it did not come back within ${timeoutMs / 1_000} s`
    return Effect.timeoutOrElse(eventual, {
      duration: timeoutMs,
      orElse: () => Effect.fail(new CallbackFailed({ callback, detail, isHung: true }))
    })
  })

const failed = (callback: string, cause: unknown): CallbackFailed =>
  new CallbackFailed({ callback, detail: cause instanceof Error ? cause.message : String(cause), isHung: false })
