/** Brings branches of one source together by item. */
import { makeStep, type AnyAnswers, type Answers, type ItemOf, type OutputOf, type ServicesOf, type Step } from "./step.ts"

type Branches = Readonly<Record<string, Step>>

/** Two item types are the same only if each fits the other; `[…]` stops a union from being taken apart. */
type Joinable<B extends Branches> = {
  readonly [K in keyof B]: B[K] extends AnyAnswers
    ? [ItemOf<B[keyof B]>] extends [ItemOf<B[K]>]
      ? B[K]
      : "These branches read different items: join only what comes from one source"
    : "A branch is a step with answers: put infer(…) before it"
}

/** Waits for every branch of an item; downstream, `output` has one field a branch. An item that a branch lost is lost here too. */
export const join = <B extends Branches>(
  branches: Joinable<B>
): Answers<ItemOf<B[keyof B]>, { readonly [K in keyof B]: OutputOf<B[K]> }, ServicesOf<B[keyof B]>> => {
  // Sorted, because a join has no first branch: written in another order, it is the same join.
  const sorted = Object.entries(branches as unknown as Branches).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return makeStep({ kind: "join", reads: sorted.map(([, read]) => read), branchNames: sorted.map(([name]) => name) })
}
