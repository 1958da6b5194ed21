import { describe, expect, it } from "vitest"

import { jsonFault } from "../../../runtime/source/json-fault.ts"
import { seeded } from "../../support/luck.ts"

const fault = (text: string): string => {
  try {
    JSON.parse(text)
  } catch (thrown) {
    return jsonFault(text, thrown)
  }
  throw new Error(`${text} is JSON`)
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const columnOf = (text: string): number => Number(/column (\d+)/.exec(fault(text))?.[1])

describe("the column of a JSON fault", () => {
  it.each([
    ['{"a":NaN}', 6],
    ["nope", 1],
    ['{"a":1', 7],
    ['{"a" 1}', 6],
    ["{a:1}", 2],
    ['{"a":1,}', 8],
    ["[1,]", 4],
    ["[1 2]", 4],
    ['{"a":01}', 7],
    ['{"a":"\\x"}', 7],
    ['{"a":"x\ty"}', 8],
    ['{"a":"open', 11],
    ['{"a":1}}', 8],
    ["[}", 2],
    ['{"a":{"b":[1,{"c":tru}]}}', 19],
    ["", 1]
  ])("%s is wrong at column %i", (text, column) => {
    expect(columnOf(text)).toBe(column)
  })

  it("says what the parser says, without the text that follows it", () => {
    expect(fault('{"a":NaN}')).toBe("not JSON at column 6: Unexpected token 'N'")
    expect(fault('{"a":1')).toMatch(/^not JSON at column 7: Expected ',' or '}' after property value$/)
  })

  it("always names a place inside the text or right behind it, 2,000 spoiled texts", () => {
    const good = '{"id":"a\\u00e4","list":[1,-2.5e3,true,null,{"deep":["x"]}],"empty":{},"none":[]}'
    for (let seed = 0; seed < 2000; seed++) {
      const random = seeded(seed)
      const at = Math.floor(random() * good.length)
      const spoiled = good.slice(0, at) + ('{}[],:x"\\ \t0'.at(Math.floor(random() * 12)) ?? "") + good.slice(at + Math.floor(random() * 3))
      if (isJson(spoiled)) continue
      expect(columnOf(spoiled), spoiled).toBeGreaterThan(0)
      expect(columnOf(spoiled), spoiled).toBeLessThanOrEqual(spoiled.length + 1)
    }
  })

  it("needs no stack for depth or length", () => {
    expect(columnOf("[".repeat(200_000))).toBe(200_001)
    expect(columnOf(`"${"\\n".repeat(2_000_000)}`)).toBe(4_000_002)
  })
})
