/** How long the job's own code may take for one answer. */
import * as Context from "effect/Context"

/** Ms, as the job declares it (`callbackTimeout`); null where it doesn't. */
export const CallbackTimeout = Context.Reference<number | null>("nightshift/CallbackTimeout", { defaultValue: () => null })

/** Of rules, prompts and other small functions. */
export const callbackTimeoutDefaultMs = 30_000
/** Of an embedded model that answers later: like a server of one's own, it may be large and slow. */
export const modelTimeoutDefaultMs = 600_000
