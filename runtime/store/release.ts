// PLACEHOLDER by the lead: helper "publisher" overwrites this file.
import * as Effect from "effect/Effect"
export const release = (..._: ReadonlyArray<unknown>): Effect.Effect<void> => Effect.void
