/** A creation whose answer was lost may still be on its way when it is looked for. */
import * as Effect from "effect/Effect"

import type { Model } from "../../dsl/index.ts"
import { providerError, type ProviderError } from "./provider-error.ts"

/** What a provider takes at most to show what it has just made. */
const settleMs = 5_000

/** `none` is only believed twice: between the two looks, `fence` hinders what may still be on its way from coming into being. */
export const lookTwice = <A>(
  look: Effect.Effect<A | "none", ProviderError>,
  fence: Effect.Effect<void, ProviderError>
): Effect.Effect<A | "none", ProviderError> =>
  Effect.flatMap(look, (first) =>
    first === "none" ? Effect.andThen(fence, Effect.andThen(Effect.sleep(settleMs), look)) : Effect.succeed(first)
  )

/** Batches, or files, that are looked through for one of ours. */
const listedMax = 20_000

/** Those of a list, newest first, that were made since a moment; null where there are more than can be looked through. */
export const listedSince = async <A>(
  pages: AsyncIterable<A>,
  { since, madeAt }: { readonly since: number; readonly madeAt: (each: A) => number }
): Promise<ReadonlyArray<A> | null> => {
  const found: Array<A> = []
  for await (const each of pages) {
    if (madeAt(each) < since) return found
    if (found.length >= listedMax) return null
    found.push(each)
  }
  return found
}

/** Fails where a list wasn't looked through: "there is none" must not be said of it. */
export const wholeList =
  ({ name, account }: Model) =>
  <A>(list: ReadonlyArray<A> | null): Effect.Effect<ReadonlyArray<A>, ProviderError> => {
    if (list !== null) return Effect.succeed(list)
    const detail = `the account has made more than ${listedMax} batches or files since, too many to look for this run's own among them`
    return Effect.fail(providerError({ model: name, account, reason: "invalid-request", detail }))
  }

/** Clocks differ: how much earlier than our intent a provider's clock may say that something was made. */
export const skewMs = 10 * 60_000
