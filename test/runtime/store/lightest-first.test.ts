import { describe, expect, it } from "vitest"

import { lightestFirst } from "../../../runtime/store/lightest-first.ts"

/** Weights as a source might have them: most small, a few heavy. */
const weightsOf = (seed: number, items: number): ReadonlyArray<number> => {
  let random = seed
  const next = (): number => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    return random / 2 ** 32
  }
  return Array.from({ length: items }, () => Math.round(1 / (next() + 0.001)) + 1)
}

const loadsOf = (weights: ReadonlyArray<number>, partitions: number): ReadonlyArray<number> => {
  const next = lightestFirst(partitions)
  const loads = Array.from({ length: partitions }, () => 0)
  for (const weight of weights.toSorted((a, b) => b - a)) {
    const chosen = next(weight)
    loads[chosen] = (loads[chosen] ?? 0) + weight
  }
  return loads
}

describe("lightest first", () => {
  it.each([1, 2, 3, 4, 5])("[PAR-2] leaves no partition further behind than one item's weight (seed %i)", (seed) => {
    for (const partitions of [1, 2, 7, 64, 1_000]) {
      const weights = weightsOf(seed, 3_000)
      const loads = loadsOf(weights, partitions)
      const fair = weights.reduce((sum, weight) => sum + weight, 0) / partitions
      const heaviest = Math.max(...weights)
      expect(loads.reduce((sum, load) => sum + load, 0)).toBe(fair * partitions)
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(heaviest)
      // Graham's bound for heaviest first: four thirds of the best there is.
      expect(Math.max(...loads)).toBeLessThanOrEqual((4 / 3) * Math.max(fair, heaviest) + heaviest / partitions)
    }
  })

  it("[PAR-2] chooses as a look at every partition would, ties to the lower number", () => {
    const next = lightestFirst(11)
    const loads = Array.from({ length: 11 }, () => 0)
    for (const weight of weightsOf(9, 2_000).toSorted((a, b) => b - a)) {
      const lightest = loads.indexOf(Math.min(...loads))
      expect(next(weight)).toBe(lightest)
      loads[lightest] = (loads[lightest] ?? 0) + weight
    }
  })

  it("spreads items that weigh nothing", () => {
    const next = lightestFirst(3)
    expect([0, 0, 0, 0].map(next)).toEqual([0, 1, 2, 0])
  })
})
