/** Rules on answers, and what becomes of an item that breaks one. */
import {
  makeStep,
  type Answer,
  type Answers,
  type Eventually,
  type ItemOf,
  type OutputOf,
  type ReadsAnswers,
  type RowOf,
  type ReadsRows,
  type RuleDefinition,
  type Services,
  type ServicesOf,
  type Step
} from "./step.ts"

export type Verdict =
  | { readonly verdict: "deadLetter" | "review" | "flag" }
  | { readonly verdict: "retry"; readonly attemptsMax: number; readonly feedback?: string }

/** The item is given up on and kept with everything needed to fix and replay it. */
export const deadLetter: Verdict = { verdict: "deadLetter" }
/** A person decides before anything goes downstream. */
export const review: Verdict = { verdict: "review" }
/** Advisory: the item goes on, with the rule's name on it. */
export const flag: Verdict = { verdict: "flag" }
/** Asks the model again, up to `attemptsMax` calls in all, with `feedback` shown to it; then the item is dead-lettered. */
export const retry = (options: { readonly attemptsMax: number; readonly feedback?: string }): Verdict => ({
  verdict: "retry",
  ...options
})

export interface Rule<in Item, in Output> {
  readonly pass: (answer: Answer<Item, Output>) => Eventually<boolean>
  readonly orElse: Verdict
}

type RuleServices<Rules> = { [K in keyof Rules]: Rules[K] extends { readonly pass: infer Pass } ? Services<Pass> : never }[keyof Rules]

/** Holds each answer against rules, in the order written; the first that stops the item names the reason. */
export const validate = <From extends Step, Rules extends Readonly<Record<string, Rule<ItemOf<From>, OutputOf<From>>>>>(
  answers: ReadsAnswers<From>,
  rules: Rules
): Answers<ItemOf<From>, OutputOf<From>, ServicesOf<From> | RuleServices<Rules>> =>
  makeStep({
    kind: "validate",
    reads: [answers as Step],
    rules: Object.entries(rules).map(([name, rule]) => ({ name, ...rule }) as unknown as RuleDefinition)
  })

/** Lets through the rows that pass; the others end as skipped on this branch. Kind of step in, same kind out. */
export const when = <From extends Step>(rows: ReadsRows<From>, test: (row: RowOf<From>) => boolean): From =>
  makeStep<Step>({ kind: "when", reads: [rows as Step], test: test as (row: unknown) => boolean }) as From
