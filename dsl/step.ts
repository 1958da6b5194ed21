/**
 * What a step is to the compiler of TypeScript, and what it is at run time.
 *
 * Three ideas carry the inference:
 * 1. A step takes the step it reads as its first argument, so its rows are known before any callback is looked at.
 * 2. A callback is a direct property of the options: a lambda inside a nested call would be typed before `output` is inferred.
 * 3. Types ride on `[types]`, a property that exists for the compiler only.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"

import type { EvaluationDefinition } from "./evaluation.ts"
import type { Model } from "./model.ts"
import type { Message } from "./template.ts"
import type { Tier } from "./partition.ts"
import type { SourceLocation, SourceFile } from "./source.ts"
import type { Verdict } from "./validate.ts"
import type { Reducer } from "./reducer.ts"

declare const types: unique symbol

/** A plain value, or an Effect or a Promise of it, when the callback needs a service or waits. */
export type Eventually<A> = A | PromiseLike<A> | Effect.Effect<A, unknown, never> | Effect.Effect<A, unknown, any>

/** The services that a callback's Effect needs; `never` for plain values and promises. */
export type Services<F> = F extends (...args: any) => infer Out ? (Out extends Effect.Effect<any, any, infer R> ? R : never) : never

/** What a step knows of one item once a model has answered. `item` is always the manifest's row, however deep the DAG. */
export interface Answer<out Item, out Output> {
  /** The author's key of the item, unchanged. */
  readonly key: string
  readonly item: Item
  readonly output: Output
  /** The name of the model that answered; several joined by `+` after a join. */
  readonly model: string
  /** Which try gave this answer, from 1. */
  readonly attempt: number
}

interface Node {
  readonly kind: Definition["kind"]
  readonly reads: ReadonlyArray<Step>
}

/** Where items come from. `R` collects the services that a stream needs, and the parameters that a location reads. */
export interface Source<out Item, out R = never> extends Node {
  readonly kind: "source"
  readonly [types]: { readonly item: Item; readonly services: R }
}

/** Anything that hands rows to the next step, one an item. `R` collects the services of everything upstream. */
export interface Rows<out Row, out Item, out R> extends Node {
  readonly [types]: { readonly row: Row; readonly item: Item; readonly services: R }
}

/** The items of a source, split into units of work. `Label` is what `by` may return: the keys of overrides. */
export interface Partitions<out Item, out R = never, out Label extends string = string> extends Rows<Item, Item, R> {
  readonly kind: "partition" | "when"
  readonly label?: Label
}

/** Rows with a model's answer. */
export interface Answers<out Item, out Output, out R = never> extends Rows<Answer<Item, Output>, Item, R> {
  readonly kind: "infer" | "validate" | "when" | "join"
}

/** The values of an aggregate. */
export interface Summary<out Values, out R = never> extends Node {
  readonly kind: "aggregate"
  readonly [types]: { readonly values: Values; readonly services: R }
}

/** The text that a person reads. */
export interface Report<out R = never> extends Node {
  readonly kind: "report"
  readonly [types]: { readonly services: R }
}

export type Step = Source<any, any> | Partitions<any, any, any> | Answers<any, any, any> | Summary<any, any> | Report<any>

type AnySource = Source<any, any>
type AnyRows = Partitions<any, any, any> | Answers<any, any, any>
export type AnyAnswers = Answers<any, any, any>
type AnySummary = Summary<any, any>

export type RowOf<S> = S extends Rows<infer Row, any, any> ? Row : never
export type ItemOf<S> = S extends Source<infer Item, any> ? Item : S extends Rows<any, infer Item, any> ? Item : never
export type OutputOf<S> = S extends Answers<any, infer Output, any> ? Output : never
export type LabelOf<S> = S extends Partitions<any, any, infer Label> ? Label : never
export type AnswerOf<S> = Answer<ItemOf<S>, OutputOf<S>>
export type ValuesOf<S> = S extends Summary<infer Values, any> ? Values : never
export type ServicesOf<S> = S extends { readonly [types]: { readonly services: infer R } } ? R : never

// A parameter typed `From extends Wanted ? From : "sentence"` infers `From` as usual. When the argument is wrong, the
// compiler says: Argument of type 'Source<…>' is not assignable to parameter of type '"sentence"'.
export type ReadsSource<From> = From extends AnySource ? From : "partition reads a source, such as jsonl(…)"
export type ReadsRows<From> = From extends AnyRows
  ? From
  : From extends AnySource
    ? "A source has no partitions yet: write partition(source, { … }) and read that"
    : "This step reads partitions or answers: an aggregate or a report has no rows"
export type ReadsAnswers<From> = From extends AnyAnswers ? From : "This step reads answers: put infer(…) before it"
export type ReadsSummary<From> = From extends AnySummary ? From : "report reads an aggregate: write aggregate(step, { … }) and read that"

/** A schema that decodes and encodes without services: what crosses into a prompt, a table and back. */
export type PlainSchema = Schema.Codec<any, any>

/** `S`, if what it decodes to is an object; or else the sentence. */
export type StructSchema<S extends PlainSchema, Sentence> =
  S["Type"] extends ReadonlyArray<unknown> ? Sentence : S["Type"] extends object ? S : Sentence

/** How the formats of sources differ at run time. */
export type SourceFormat = "jsonl" | "csv" | "parquet" | "sql" | "files" | "stream"

export interface SourceDefinition {
  readonly kind: "source"
  readonly reads: readonly []
  readonly format: SourceFormat
  readonly location: SourceLocation
  readonly schema: PlainSchema
  readonly keyOf: (item: unknown, file: string) => string
  /** `files` only: makes an item from a file. */
  readonly parse?: (file: SourceFile) => Eventually<unknown>
}

export interface PartitionDefinition {
  readonly kind: "partition"
  readonly reads: readonly [Step]
  readonly by?: (item: unknown) => string
  readonly tiers?: { readonly size: (item: unknown) => number; readonly tiers: ReadonlyArray<Tier> }
  readonly weight?: (item: unknown) => number
  readonly itemsMax?: number
}

export interface WhenDefinition {
  readonly kind: "when"
  readonly reads: readonly [Step]
  readonly test: (row: unknown) => boolean
}

export interface Override {
  readonly model?: Model
  readonly prompt?: (row: unknown) => Eventually<ReadonlyArray<Message>>
}

export interface InferDefinition {
  readonly kind: "infer"
  readonly reads: readonly [Step]
  readonly models: ReadonlyArray<Model>
  readonly prompt: (row: unknown) => Eventually<ReadonlyArray<Message>>
  readonly output: PlainSchema
  readonly accept?: (answer: unknown) => boolean
  readonly confidence?: (output: unknown) => number
  readonly confidenceMin?: number
  readonly overrides: Readonly<Record<string, Override>>
  readonly maxTokens?: number
  readonly temperature?: number
  readonly retriesMax?: number
  readonly retrySpacing?: Duration.Input
  readonly retryWithError?: boolean
  readonly reuse: boolean
  readonly evaluation?: EvaluationDefinition
}

export interface RuleDefinition {
  readonly name: string
  readonly pass: (answer: unknown) => Eventually<boolean>
  readonly orElse: Verdict
}

export interface ValidateDefinition {
  readonly kind: "validate"
  readonly reads: readonly [Step]
  readonly rules: ReadonlyArray<RuleDefinition>
}

export interface JoinDefinition {
  readonly kind: "join"
  readonly reads: ReadonlyArray<Step>
  /** What the join calls the steps it reads, in the order of `reads`. */
  readonly branchNames: ReadonlyArray<string>
}

export interface AggregateDefinition {
  readonly kind: "aggregate"
  readonly reads: readonly [Step]
  readonly reducers?: Readonly<Record<string, Reducer<unknown, unknown>>>
  /** A query on a read-only Kysely; compiled and run by the store. */
  readonly query?: (db: unknown) => unknown
}

export interface ReportDefinition {
  readonly kind: "report"
  readonly reads: readonly [Step]
  readonly text: (values: unknown) => Eventually<string>
}

/** What a step is at run time: the same values, without the compiler-only property and with callbacks on `unknown`. */
export type Definition =
  | SourceDefinition
  | PartitionDefinition
  | WhenDefinition
  | InferDefinition
  | ValidateDefinition
  | JoinDefinition
  | AggregateDefinition
  | ReportDefinition

/**
 * Makes a step from its definition. The cast is the one place where the compiler's picture and the run time's meet: `types`
 * exists for the compiler only, and each caller's return type says what its arguments proved.
 */
export const makeStep = <S extends Step>(definition: Definition): S => definition as unknown as S

/** The run time's view of a step: the inverse of `makeStep`. */
export const definitionOf = (step: Step): Definition => step as unknown as Definition
