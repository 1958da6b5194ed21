/** Folds of many answers to one value. */
import { ExactSum } from "./exact-sum.ts"

/** A fold over answers, one at a time, so that ten million need no more memory than ten. Order: the manifest's. */
export interface Reducer<in Row, out Value> {
  readonly start: () => Fold<Row, Value>
  /** Stands for `start` in the plan's digest. Default: its source text, which a reformatted package would change. */
  readonly id?: string
  /** The callback behind `start`, if it has one: its source text belongs to the plan's digest. */
  readonly reads?: (row: Row) => unknown
}
interface Fold<in Row, out Value> {
  readonly add: (row: Row) => void
  readonly value: () => Value
}

/** How many answers. */
export const count: Reducer<unknown, number> = {
  id: "count",
  start: () => {
    let total = 0
    return { add: () => void total++, value: () => total }
  }
}

/** How many answers of each key; a key that never came reads as 0, and is absent from the JSON. */
export const countBy = <Row, const Key extends string>(key: (row: Row) => Key): Reducer<Row, Readonly<Record<Key, number>>> => ({
  id: "countBy",
  reads: key,
  start: () => {
    const counts = new Map<Key, number>()
    return {
      add: (row) => {
        const found = key(row)
        counts.set(found, (counts.get(found) ?? 0) + 1)
      },
      value: () => zeroWhereAbsent(counts)
    }
  }
})

/**
 * The type promises a number for each key that the callback may return, and only those that came are known here. Keys are
 * sorted, so the order of the answers leaves no trace.
 */
const zeroWhereAbsent = <Key extends string>(counts: ReadonlyMap<Key, number>): Readonly<Record<Key, number>> => {
  const sorted = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))
  // Without a prototype: "constructor" is a key like any other.
  const known: Readonly<Record<Key, number>> = Object.assign(Object.create(null), Object.fromEntries(sorted))
  return new Proxy(known, {
    get: (target, key) => {
      if (typeof key === "string") return Reflect.get(target, key) ?? 0
      return key === Symbol.toPrimitive ? () => JSON.stringify(target) : undefined
    }
  })
}

/** The arithmetic mean of the exact sum; null over no answers. Values that aren't finite are left out. */
export const mean = <Row>(value: (row: Row) => number): Reducer<Row, number | null> => ({
  id: "mean",
  reads: value,
  start: () => {
    const total = new ExactSum()
    let values = 0
    return {
      add: (row) => {
        const next = value(row)
        if (!Number.isFinite(next)) return
        total.add(next)
        values++
      },
      value: () => (values === 0 ? null : total.value / values)
    }
  }
})

/** The sum, rounded once, so the order of the answers leaves no trace; 0 over no answers. Values that aren't finite are left out. */
export const sum = <Row>(value: (row: Row) => number): Reducer<Row, number> => ({
  id: "sum",
  reads: value,
  start: () => {
    const total = new ExactSum()
    return {
      add: (row) => {
        const next = value(row)
        if (Number.isFinite(next)) total.add(next)
      },
      value: () => total.value
    }
  }
})
