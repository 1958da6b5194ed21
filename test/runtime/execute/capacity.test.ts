import { describe, expect, it } from "vitest"

import { cron, compile, infer, job, jsonl, local, partition, usd, user } from "../../../dsl/index.ts"
import { throughputOf, workersNeeded, workersOf } from "../../../runtime/execute/capacity.ts"
import * as Schema from "effect/Schema"

const Item = Schema.Struct({ id: Schema.String })
const planWith = (within: string | null) =>
  compile(
    job("capacity", {
      owner: "x",
      purpose: "y",
      classification: "public",
      budget: usd(1),
      ...(within === null ? {} : { schedule: cron("0 1 * * *", { timeZone: "UTC", within: within as "1 hour" }) }),
      steps: {
        labels: infer(partition(jsonl("x", { schema: Item, key: ({ id }) => id })), {
          model: local("m", () => ({})),
          prompt: () => [user`x`],
          output: Item
        })
      }
    })
  )

describe("minimum workers", () => {
  it("[EXE-1] are items / SLA seconds / items per second of one worker, × 1.25, rounded up", () => {
    const throughput = { itemsPerMinute: 60, source: "declared" } as const
    // 10,000 items in 3,600 s at one a second: 2.78 workers, with headroom 3.47.
    expect(workersNeeded(10_000, planWith("1 hour"), throughput)).toBe(4)
    expect(workersNeeded(7_200, planWith("1 hour"), throughput)).toBe(3)
    expect(workersNeeded(0, planWith("1 hour"), throughput)).toBe(1)
    expect(workersNeeded(10_000, planWith(null), throughput)).toBeNull()
  })

  it("[EXE-1] a run starts with them, with four at least and 64 at most", () => {
    expect([workersOf(null), workersOf(1), workersOf(9), workersOf(1_000)]).toEqual([4, 4, 9, 64])
  })

  it("throughput is measured before it is declared, and declared before it is assumed", () => {
    const declared = local("a", () => ({}), { itemsPerMinute: 30 })
    expect(throughputOf([declared, local("b", () => ({}), { itemsPerMinute: 10 })], null)).toEqual({
      itemsPerMinute: 10,
      source: "declared"
    })
    expect(throughputOf([declared], 99)).toEqual({ itemsPerMinute: 99, source: "measured" })
    expect(throughputOf([local("c", () => ({}))], null).source).toBe("assumed")
  })
})
