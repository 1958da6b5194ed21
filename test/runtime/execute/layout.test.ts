import { describe, expect, it } from "vitest"

import { itemsPerPartition, layOut, placeOf } from "../../../runtime/execute/layout.ts"

const base = { kind: "partition", reads: [] as never } as const
const item = { pages: 3, kind: "pdf" }

describe("size of partitions", () => {
  it("[PAR-3] follows throughput per minute × 10 minutes, between 100 and 50,000, when the job doesn't say", () => {
    const size = (itemsPerMinute: number) => itemsPerPartition({ definition: base, itemsPerMinute, workers: 1 })
    expect([size(1), size(60), size(3_000), size(1e9)]).toEqual([100, 600, 30_000, 50_000])
    expect(itemsPerPartition({ definition: { ...base, itemsMax: 7 }, itemsPerMinute: 3_000, workers: 1 })).toBe(7)
  })

  it("[PAR-3] is smaller where workers would have nothing to do otherwise, but not for a handful of items", () => {
    const partitions = (items: number) =>
      layOut({ definition: base, itemsPerMinute: 6_000, workers: 8 }, [{ label: "", items, weight: items }]).groups[0]?.partitions
    expect([partitions(0), partitions(50), partitions(800), partitions(6_046), partitions(1_000_000)]).toEqual([1, 1, 8, 8, 20])
  })
})

describe("strategies", () => {
  it("[PAR-2] by a field: each value has partitions of its own, and its words stay out of the metadata", () => {
    const definition = { ...base, by: () => "x", itemsMax: 10 }
    const layout = layOut({ definition, itemsPerMinute: 1, workers: 1 }, [
      { label: "pdf", items: 25, weight: 1 },
      { label: "word", items: 3, weight: 1 }
    ])
    expect(layout).toEqual({
      spread: "hash",
      labelsArePublic: false,
      groups: [
        { label: "pdf", partitions: 3 },
        { label: "word", partitions: 1 }
      ]
    })
  })

  it("[PAR-2] by size tiers: the first tier that is large enough takes the item, and its name is the author's", () => {
    const tiers = { size: (of: unknown) => (of as typeof item).pages, tiers: [{ name: "small", upTo: 5 }, { name: "large" }] }
    const place = (pages: number) => placeOf({ ...base, tiers }, { pages }, 10).label
    expect([place(1), place(5), place(6), place(1e9)]).toEqual(["small", "small", "large", "large"])
    expect(layOut({ definition: { ...base, tiers }, itemsPerMinute: 1, workers: 1 }, []).labelsArePublic).toBe(true)
  })

  it("[PAR-2] by weight: spread by weight, not by hash; without one, bytes stand for it", () => {
    expect(
      layOut({ definition: { ...base, weight: () => 1 }, itemsPerMinute: 1, workers: 1 }, [{ label: "", items: 3, weight: 3 }]).spread
    ).toBe("weight")
    expect(placeOf(base, item, 42)).toEqual({ label: "", weight: 42 })
  })

  it("a weight, size or label that can't be one is refused with its value", () => {
    expect(() => placeOf({ ...base, weight: () => -1 }, item, 1)).toThrow("weight returned -1")
    expect(() => placeOf({ ...base, weight: () => Number.NaN }, item, 1)).toThrow("weight returned NaN")
    expect(() => placeOf({ ...base, by: () => "" }, item, 1)).toThrow('by returned ""')
    expect(() => placeOf({ ...base, tiers: { size: () => Number.NaN, tiers: [{ name: "all" }] } }, item, 1)).toThrow("size returned NaN")
  })
})
