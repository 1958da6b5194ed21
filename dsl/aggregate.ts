/** Many answers to a few values: by reducers, or by SQL typed from the output's columns. */
import type { Kysely, Simplify } from "kysely"

import {
  makeStep,
  type AnswerOf,
  type ItemOf,
  type OutputOf,
  type ReadsAnswers,
  type ServicesOf,
  type Step,
  type Summary
} from "./step.ts"

/** A fold over answers, one at a time, so that ten million need no more memory than ten. Order: the manifest's. */
export interface Reducer<in Row, out Value> {
  readonly start: () => Fold<Row, Value>
}
interface Fold<in Row, out Value> {
  readonly add: (row: Row) => void
  readonly value: () => Value
}

/** How many answers. */
export const count: Reducer<unknown, number> = {
  start: () => {
    let total = 0
    return { add: () => void total++, value: () => total }
  }
}

/** How many answers of each key; a key that never came is 0 when read through the type's literals, and absent from the JSON. */
export const countBy = <Row, const Key extends string>(key: (row: Row) => Key): Reducer<Row, Readonly<Record<Key, number>>> => ({
  start: () => {
    const counts = new Map<string, number>()
    return {
      add: (row) => void counts.set(key(row), (counts.get(key(row)) ?? 0) + 1),
      value: () => zeroWhereAbsent(Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))) as Record<Key, number>)
    }
  }
})

/** Keys of a literal type are promised by the type, so one that never came reads as 0 rather than undefined. */
const zeroWhereAbsent = <Key extends string>(counts: Record<Key, number>): Record<Key, number> =>
  new Proxy(counts, { get: (target, key, self) => Reflect.get(target, key, self) ?? (typeof key === "string" && key !== "toJSON" ? 0 : undefined) })

/** The arithmetic mean; null over no answers. Values that aren't finite are left out. */
export const mean = <Row>(value: (row: Row) => number): Reducer<Row, number | null> => ({
  start: () => {
    let sum = 0
    let values = 0
    return {
      add: (row) => {
        const next = value(row)
        if (!Number.isFinite(next)) return
        sum += next
        values++
      },
      value: () => (values === 0 ? null : sum / values)
    }
  }
})

/** The sum; 0 over no answers. Values that aren't finite are left out. */
export const sum = <Row>(value: (row: Row) => number): Reducer<Row, number> => ({
  start: () => {
    let total = 0
    return { add: (row) => void (Number.isFinite(value(row)) && (total += value(row))), value: () => total }
  }
})

/** JSON text in a column: a string to Kysely, and its content to whoever parses it. */
export type Json<A> = string & { readonly json?: A }

type Column = string | number | bigint | boolean | Date | null
type IsStruct<A> = A extends Column | ReadonlyArray<unknown> ? false : A extends object ? true : false
/** A missing key is NULL in a column. `{} extends Pick<…>` asks "may the key be missing?", which the field's own type doesn't tell. */
type FieldOf<Output, K extends keyof Output> = {} extends Pick<Output, K>
  ? Exclude<Output[K], undefined> | null
  : undefined extends Output[K]
    ? Exclude<Output[K], undefined> | null
    : Output[K]
/** A list, or a union that is neither all scalars nor one struct, is JSON. */
type ColumnOf<A> = [A] extends [Column] ? Stored<A> : null extends A ? Json<Exclude<A, null>> | null : Json<A>
/** A column holds what JSON holds: a date as ISO text, a bigint as digits. */
type Stored<A> = A extends Date | bigint ? string : A

/** Flattens structs: { label: { kind }, tags } gives label_kind and tags. Scalars keep their type, literal unions included. */
export type Columns<Output, Prefix extends string = ""> = Simplify<
  {
    readonly [K in keyof Output & string as IsStruct<Output[K]> extends true ? never : `${Prefix}${K}`]-?: ColumnOf<FieldOf<Output, K>>
  } & UnionToIntersection<
    { [K in keyof Output & string]: IsStruct<Output[K]> extends true ? Columns<Output[K], `${Prefix}${K}_`> : {} }[keyof Output & string]
  >
>
type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never

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
