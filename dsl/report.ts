/** The text that people read when a run is done. */
import {
  makeStep,
  type Eventually,
  type ReadsSummary,
  type Report,
  type Services,
  type ServicesOf,
  type Step,
  type ValuesOf
} from "./step.ts"

type Text<Values> = (values: Values) => Eventually<string>

/** Writes a sentence or a page from an aggregate's values: plain text or Markdown. */
export const report = <From extends Step, F extends Text<ValuesOf<From>>>(
  summary: ReadsSummary<From>,
  text: F & Text<ValuesOf<From>>
): Report<ServicesOf<From> | Services<F>> =>
  makeStep({ kind: "report", reads: [summary as Step], text: text as (values: unknown) => Eventually<string> })
