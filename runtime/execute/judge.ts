/** Holds one answer against a validate's rules. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import type { Answer } from "../../dsl/index.ts"
import { callEventually } from "./callback.ts"
import type { ValidateNode } from "./graph.ts"

/** What the rules say together; `flags` are advisory rules that the answer broke before it passed or was stopped. */
export type Judgement = { readonly flags: ReadonlyArray<string> } & (
  | { readonly kind: "passed" }
  | { readonly kind: "deadLetter" | "review"; readonly rule: string; readonly message: string }
  | { readonly kind: "failed"; readonly rule: string; readonly message: string; readonly code: string }
  | {
      readonly kind: "retry"
      readonly rule: string
      readonly message: string
      readonly attemptsMax: number
      readonly feedback: string | undefined
    }
)

/** Rules in the order written; the first that stops the item decides. */
export const judge = Effect.fnUntraced(function* (
  node: ValidateNode,
  seq: number,
  answer: Answer<unknown, unknown>,
  services: Context.Context<never>
) {
  const flags: Array<string> = []
  for (const { name: rule, pass, orElse } of node.definition.rules) {
    const passed = yield* Effect.result(callEventually({ seq, step: node.name, callback: `rule "${rule}"` }, services, () => pass(answer)))
    // A rule that throws has not said yes: the item must not go downstream as if it had.
    if (passed._tag === "Failure") {
      const { message } = passed.failure
      return { kind: "failed", flags, rule, message, code: passed.failure.codeOr("rule-failed") } satisfies Judgement
    }
    if (passed.success) continue
    const message = `Rule "${rule}" of ${node.name} refused the answer.`
    if (orElse.verdict === "flag") flags.push(rule)
    else if (orElse.verdict === "retry")
      return { kind: "retry", flags, rule, message, attemptsMax: orElse.attemptsMax, feedback: orElse.feedback } satisfies Judgement
    else return { kind: orElse.verdict, flags, rule, message } satisfies Judgement
  }
  return { kind: "passed", flags } satisfies Judgement
})
