/** Many answers to a few values: by reducers, or by SQL typed from the output's columns. */
import type { Kysely, Simplify } from "kysely"

import type { Columns } from "./columns.ts"
import type { Reducer } from "./reducer.ts"
import { makeStep, type AnswerOf, type ItemOf, type OutputOf, type ReadsAnswers, type ServicesOf, type Step, type Summary } from "./step.ts"

/** What an aggregate may query: the answers that reached it, and the items to join them with by `item_key`. */
export interface Database<Item, Output> {
  readonly rows: Simplify<{ readonly item_key: string } & Columns<Output>>
  readonly items: Simplify<{ readonly item_key: string } & Columns<Item>>
}

/** Kysely that can only read. */
export type Reader<Item, Output> = Pick<Kysely<Database<Item, Output>>, "selectFrom" | "with" | "fn" | "case">

/** What a select of Kysely is to us. Kysely's own type in its place makes an error of a screenful out of a misspelt table. */
interface Query<out Result> {
  readonly execute: () => Promise<ReadonlyArray<Result>>
}

type Aggregation<From> =
  | Readonly<Record<string, Reducer<AnswerOf<From>, unknown>>>
  | ((db: Reader<ItemOf<From>, OutputOf<From>>) => Query<unknown>)

type Aggregated<How> = How extends (db: never) => Query<infer Result>
  ? ReadonlyArray<Simplify<Readonly<Result>>>
  : Simplify<{ readonly [K in keyof How]: How[K] extends Reducer<any, infer Value> ? Value : never }>

/** Values over all answers of a step. Runs again without new inference, and gives the same. */
export const aggregate = <From extends Step, How extends Aggregation<From>>(
  answers: ReadsAnswers<From>,
  how: How
): Summary<Aggregated<How>, ServicesOf<From>> =>
  makeStep({
    kind: "aggregate",
    reads: [answers as Step],
    ...(typeof how === "function"
      ? { query: how as unknown as (db: unknown) => unknown }
      : { reducers: how as unknown as Readonly<Record<string, Reducer<unknown, unknown>>> })
  })
