import { it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { describe, expect } from "vitest"

import { count, countBy, mean, sum, type Reducer } from "../../dsl/index.ts"

const checks = { arbitrary: { seed: 2026, runs: 300 } }

const fold = <Row, Value>(reducer: Reducer<Row, Value>, rows: ReadonlyArray<Row>): Value => {
  const { add, value } = reducer.start()
  for (const row of rows) add(row)
  return value()
}
const plain = (value: number): number => value
const topics = countBy((topic: "spam" | "list" | "constructor" | "__proto__") => topic)

/** The sum as exact arithmetic has it: every finite number is a whole multiple of 2^-1074. Rounding back is `Number`'s own. */
const exactSum = (values: ReadonlyArray<number>): number => {
  const total = values.reduce((all, value) => all + scaled(value), 0n)
  const magnitude = total < 0n ? -total : total
  // Bits beyond the first 64 only say whether anything follows: enough for `Number` to round the right way.
  const spare = BigInt(Math.max(0, magnitude.toString(2).length - 64))
  const rest = magnitude & ((1n << spare) - 1n)
  const leading = Number((magnitude >> spare) | (rest === 0n ? 0n : 1n))
  const exponent = Number(spare) - 1074
  const result = exponent < -1000 ? leading * 2 ** (exponent + 1000) * 2 ** -1000 : leading * 2 ** exponent
  return total < 0n ? -result : result
}
const scaled = (value: number): bigint => {
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, value)
  const raw = bits.getBigUint64(0)
  const exponent = (raw >> 52n) & 0x7ffn
  const fraction = raw & 0xfffffffffffffn
  const whole = exponent === 0n ? fraction : (fraction | 0x10000000000000n) << (exponent - 1n)
  return value < 0 ? -whole : whole
}

/** Numbers of very different sizes, so that a plain sum loses digits. */
const number = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: -1_000_000, maximum: 1_000_000 }))),
    Arbitrary.schema(Schema.Literals([-300, -20, -3, 0, 2, 15, 290]))
  ]),
  ([digits, exponent]) => digits * 10 ** exponent
)
const shuffled = Arbitrary.all([Arbitrary.array(number, { minLength: 0, maxLength: 30 }), Arbitrary.schema(Schema.Int)])
const inAnotherOrder = <A>(values: ReadonlyArray<A>, seed: number): ReadonlyArray<A> =>
  values
    .map((value, index) => [Math.sin(seed + index), value] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, value]) => value)

describe("reducers", () => {
  it("[VAL-6] say something true of no answers at all", () => {
    expect(fold(count, [])).toBe(0)
    expect(fold(sum(plain), [])).toBe(0)
    expect(fold(mean(plain), [])).toBeNull()
    expect(JSON.stringify(fold(topics, []))).toBe("{}")
  })

  it("[VAL-6] count every answer, and sum and average those with a finite value", () => {
    const values = [1, Number.NaN, 2, Number.POSITIVE_INFINITY, 6, Number.NEGATIVE_INFINITY]
    expect(fold(count, values)).toBe(6)
    expect(fold(sum(plain), values)).toBe(9)
    expect(fold(mean(plain), values)).toBe(3)
    expect(fold(mean(plain), [Number.NaN])).toBeNull()
  })

  it("[VAL-6] start afresh each time", () => {
    const total = sum(plain)
    expect([fold(total, [1, 2]), fold(total, [1, 2]), fold(count, [1]), fold(count, [1])]).toEqual([3, 3, 1, 1])
  })

  it("[VAL-6] call the callback once an answer", () => {
    let calls = 0
    const counted = (value: number) => ((calls += 1), value)
    fold(sum(counted), [1, 2])
    fold(mean(counted), [1, 2])
    fold(
      countBy((value: number) => String(counted(value))),
      [1, 2]
    )
    expect(calls).toBe(6)
  })

  it.prop(
    "[VAL-6] give the same in any order of the answers",
    [shuffled],
    ([[values, seed]]) => {
      const others = inAnotherOrder(values, seed)
      const reducers: ReadonlyArray<Reducer<number, unknown>> = [count, sum(plain), mean(plain), countBy((value: number) => String(value))]
      for (const reducer of reducers) expect(JSON.stringify(fold(reducer, others))).toBe(JSON.stringify(fold(reducer, values)))
    },
    checks
  )

  it.prop(
    "[VAL-6] sum without losing a digit",
    [shuffled],
    ([[values]]) => {
      expect(fold(sum(plain), values)).toBe(exactSum(values) + 0)
    },
    checks
  )

  it("a control: a plain sum depends on the order", () => {
    const add = (values: ReadonlyArray<number>) => values.reduce((all, value) => all + value, 0)
    expect(add([1e16, 1, -1e16])).not.toBe(add([1e16, -1e16, 1]))
    expect(fold(sum(plain), [1e16, 1, -1e16])).toBe(1)
    expect(
      fold(
        sum(plain),
        Array.from({ length: 10 }, () => 0.1)
      )
    ).toBe(1)
    // Half-way cases, where the smallest part decides.
    expect(fold(sum(plain), [2 ** 53, 1, 2 ** -60])).toBe(2 ** 53 + 2)
    expect(fold(sum(plain), [2 ** 53, 1, -(2 ** -60)])).toBe(2 ** 53)
  })
})

describe("countBy", () => {
  const counts = fold(topics, ["spam", "list", "spam"])

  it("[VAL-6] reads 0 for a key that never came, even one that every object has", () => {
    expect([counts.spam, counts.list, counts.constructor, counts["__proto__"]]).toEqual([2, 1, 0, 0])
    expect(fold(topics, ["constructor", "__proto__", "__proto__"])["__proto__"]).toBe(2)
  })

  it("[VAL-6] writes the keys that came to JSON, sorted, and no others", () => {
    expect(JSON.stringify(counts)).toBe('{"list":1,"spam":2}')
    expect(Object.entries(counts)).toEqual([
      ["list", 1],
      ["spam", 2]
    ])
    expect("constructor" in counts).toBe(false)
    expect({ ...counts }).toEqual({ spam: 2, list: 1 })
  })

  it("reads as its JSON in a text, is no promise, and can be logged", async () => {
    expect(`${String(counts)}`).toBe('{"list":1,"spam":2}')
    expect(await Promise.resolve(counts)).toBe(counts)
    expect(structuredClone({ ...counts })).toEqual({ list: 1, spam: 2 })
  })
})
