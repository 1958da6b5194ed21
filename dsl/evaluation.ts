/** What a prompt, a model and their parameters must prove before a run uses them for the first time (GOV-2). */
import type { Source } from "./step.ts"

/** One row that a person labelled. */
export interface Labelled<out Row, out Expected> {
  /** What the prompt is given. */
  readonly item: Row
  readonly expected: Expected
}

/**
 * Before a run asks anything, a prompt version, model and parameters that have not passed yet answer the labelled sample, paid from the run's budget and
 * in real time. Reaching `scoreMin`, they have passed for good; below it, the run waits for a person. Trials (`--limit`) don't evaluate, and overrides of
 * labels aren't evaluated.
 */
export interface Evaluation<Row, Output, Expected> {
  /** At least one row, at most 10,000: as values, or a source of such rows. */
  readonly labelled: ReadonlyArray<Labelled<Row, Expected>> | Source<Labelled<Row, Expected>>
  /** How good one answer is, 0 to 1; 1 or 0 for right or wrong. No usable answer is 0. */
  readonly score: (output: Output, expected: NoInfer<Expected>) => number
  /** The mean score that must be reached, 0 to 1. */
  readonly scoreMin: number
}

/** What `evaluation` is at run time. */
export interface EvaluationDefinition {
  readonly labelled: ReadonlyArray<Labelled<unknown, unknown>> | Source<any>
  readonly score: (output: unknown, expected: unknown) => number
  readonly scoreMin: number
}
