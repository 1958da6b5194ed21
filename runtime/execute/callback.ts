/** Runs what an author wrote: a value, a promise or an Effect, and an exception of any of them as data. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Eventually } from "../../dsl/index.ts"

/** A callback of the job threw or failed: its text belongs to the payload, for it may quote the item. */
export class CallbackFailed extends Schema.TaggedError<CallbackFailed>()("CallbackFailed", {
  /** Which callback: `prompt`, `rule`, `accept`, … */
  callback: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The job's ${this.callback} failed: ${this.detail}`
  }
}

/** Calls a plain callback; what it throws becomes a `CallbackFailed`. */
export const callPlain = <A>(callback: string, call: () => A): Effect.Effect<A, CallbackFailed> => {
  try {
    return Effect.succeed(call())
  } catch (cause) {
    return Effect.fail(failed(callback, cause))
  }
}

/** Calls a callback that may wait; Effects get the job's services. */
export const callEventually = <A>(
  callback: string,
  services: Context.Context<never>,
  call: () => Eventually<A>
): Effect.Effect<A, CallbackFailed> => {
  try {
    const eventual = call()
    // The compiler proved that the job has every service that its callbacks need.
    if (Effect.isEffect(eventual))
      return Effect.mapError(Effect.provideContext(eventual as Effect.Effect<A, unknown>, services), (cause) => failed(callback, cause))
    if (typeof eventual === "object" && eventual !== null && "then" in eventual) {
      return Effect.tryPromise({ try: () => eventual as PromiseLike<A>, catch: (cause) => failed(callback, cause) })
    }
    return Effect.succeed(eventual as A)
  } catch (cause) {
    return Effect.fail(failed(callback, cause))
  }
}

const failed = (callback: string, cause: unknown): CallbackFailed =>
  new CallbackFailed({ callback, detail: cause instanceof Error ? cause.message : String(cause) })
