/** The step that asks a model about each row. */
import type * as Duration from "effect/Duration"

import type { Evaluation } from "./evaluation.ts"
import type { Cascade, Model, ModelServices } from "./model.ts"
import {
  makeStep,
  type Answer,
  type Answers,
  type Eventually,
  type InferDefinition,
  type ItemOf,
  type LabelOf,
  type PlainSchema,
  type ReadsRows,
  type RowOf,
  type Services,
  type ServicesOf,
  type Step,
  type StructSchema
} from "./step.ts"
import type { Message } from "./template.ts"

type Messages = readonly [Message, ...ReadonlyArray<Message>]

/** A prompt for rows of this kind. Kept apart from `P` so that the parameter is typed by context and `P` keeps the services. */
type Prompt<Row> = (row: Row) => Eventually<Messages>

/** One model needs no `accept`; a cascade cannot do without. */
type Acceptance<M, From, Output> = M extends Cascade
  ? { readonly accept: (answer: Answer<ItemOf<From>, Output>) => boolean }
  : { readonly accept?: "accept chooses between models: give model a list, or drop accept" }

type Overrides<From> = [LabelOf<From>] extends [never]
  ? Readonly<Record<string, "Only partitions have labels: read partition(source, { by }) or { tiers } here">>
  : { readonly [Label in LabelOf<From>]?: { readonly model?: Model<any>; readonly prompt?: Prompt<RowOf<From>> } }
type OverrideServices<O> = {
  [Label in keyof O]:
    | (O[Label] extends { readonly model: infer M } ? ModelServices<M> : never)
    | (O[Label] extends { readonly prompt: infer P } ? Services<P> : never)
}[keyof O]

interface InferSettings {
  /**
   * The most tokens that one answer may have: bounds what it can cost. Models with a price need it. An answer that is cut off is asked for again
   * with twice as many, then with four times as many, where `retriesMax` and the budget allow it; then it's given up on.
   */
  readonly maxTokens?: number
  /** 0 to 2; the provider's default when left out. */
  readonly temperature?: number
  /**
   * How often a call that failed, or an answer that doesn't fit, is tried again, in sweeps after the first pass over all items. Default 3; rate limits
   * and overload cost none.
   */
  readonly retriesMax?: number
  /** The least time before the first retry of a call that the provider failed; it doubles from retry to retry, with jitter on top. Default half a minute, at most a quarter of an hour. */
  readonly retrySpacing?: Duration.Input
  /** Whether a retry after an answer that doesn't fit the schema shows the model that answer and what was wrong with it. Default `false`. */
  readonly retryWithError?: boolean
  /** `false` infers equal inputs again instead of reusing an answer. Default `true`. */
  readonly reuse?: boolean
}

interface InferOptions<From, M, P, O, S extends PlainSchema, L> extends InferSettings {
  /** A model, or a cascade of models, cheapest first, with `accept`. */
  readonly model: M
  readonly prompt: P & Prompt<RowOf<From>>
  readonly output: StructSchema<S, "The output is a Schema.Struct: its fields become the columns that analysts query">
  /** How sure the model is, 0 to 1, read from its output. Kept with every answer; review and drift rest on it. */
  readonly confidence?: (output: NoInfer<S["Type"]>) => number
  /**
   * The least confidence that goes on downstream, 0 to 1: an answer below it waits for a person's review instead (code `low-confidence`).
   * Of a cascade the answer that was accepted counts. Needs `confidence`. Default: every answer goes on.
   */
  readonly confidenceMin?: number
  /** What must be proved on labelled rows before a run uses a new prompt, model or parameters. Default: nothing. */
  readonly evaluation?: Evaluation<RowOf<From>, NoInfer<S["Type"]>, L>
  /** Another model or prompt for partitions of a label (`partition`'s `by` or `tiers`). */
  readonly overrides?: O & Overrides<From>
}

/** Asks a model about each row. Every answer is decoded by `output`; what doesn't fit is retried, then dead-lettered. */
export const infer = <
  From extends Step,
  S extends PlainSchema,
  P extends Prompt<RowOf<From>>,
  const M extends Model<any> | Cascade,
  O extends Overrides<From> = {},
  L = never
>(
  rows: ReadsRows<From>,
  options: InferOptions<From, M, P, O, S, L> & Acceptance<M, From, S["Type"]>
): Answers<ItemOf<From>, S["Type"], ServicesOf<From> | ModelServices<M> | Services<P> | OverrideServices<O>> => {
  // The compiler proved each callback against its row; the run time hands it exactly such rows.
  const proved = options as unknown as Omit<InferDefinition, "kind" | "reads" | "models"> & { readonly model: Model | Cascade }
  const { model, ...rest } = proved
  return makeStep({
    ...rest,
    kind: "infer",
    reads: [rows as Step],
    models: Array.isArray(model) ? model : [model as Model],
    overrides: proved.overrides ?? {},
    reuse: proved.reuse ?? true
  })
}
