/** Flags of every verb that spends: whose keys, and how much at most. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { Misuse } from "./misuse.ts"

/** `--env NAME` */
export const envFlag = Flag.String("env").pipe(
  Flag.withDescription("take accounts from accounts.NAME.json and keys from .env.NAME"),
  Flag.withMetavar("NAME"),
  Flag.optional
)

/** `--env NAME` of a verb that goes on with a run. */
export const sameEnvFlag = Flag.String("env").pipe(
  Flag.withDescription("take accounts from accounts.NAME.json and keys from .env.NAME (default: those the run began with)"),
  Flag.withMetavar("NAME"),
  Flag.optional
)

/** `--budget USD` */
export const budgetFlag = Flag.Finite("budget").pipe(
  Flag.withDescription("US dollars this run may spend at most (default: the job's budget)"),
  Flag.withMetavar("USD"),
  Flag.optional
)

/** The budget given, or null for the job's own. */
export const budgetOf = (given: Option.Option<number>): Effect.Effect<number | null, Misuse> => {
  const usd = Option.getOrNull(given)
  return usd !== null && usd < 0
    ? Effect.fail(new Misuse({ problem: `--budget ${usd} is below nothing.`, remedy: "Give US dollars: 0 or more." }))
    : Effect.succeed(usd)
}
