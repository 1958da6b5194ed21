/** One answer out of those of an item's branches. */
import type { Variant } from "../store/ledger.ts"
import type { Answered } from "./outcome.ts"

interface Joined extends Pick<Variant, "model" | "modelVersion" | "promptVersion"> {
  readonly output: Readonly<Record<string, unknown>>
  /** JSON text of the output. */
  readonly json: string
}

/** A field a branch; who gave it is everybody who gave a part. `branchNames` are in the order of the answers. */
export const joinAnswers = (branchNames: ReadonlyArray<string>, answers: ReadonlyArray<Answered>): Joined => {
  const output = Object.fromEntries(answers.map(({ answer }, index) => [branchNames[index] ?? String(index), answer.output]))
  const json = `{${answers.map(({ json: part }, index) => `${JSON.stringify(branchNames[index])}:${part}`).join(",")}}`
  const all = (of: (outcome: Answered) => string): string => [...new Set(answers.map(of))].join("+")
  return {
    output,
    json,
    model: all(({ answer }) => answer.model),
    modelVersion: all(({ variant }) => variant?.modelVersion ?? "unknown"),
    promptVersion: all(({ variant }) => variant?.promptVersion ?? "unknown")
  }
}
