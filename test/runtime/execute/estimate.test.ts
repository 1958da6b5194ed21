import { createHash } from "node:crypto"

import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  aggregate,
  compile,
  count,
  cron,
  deadLetter,
  infer,
  job,
  jsonl,
  local,
  openai,
  partition,
  usd,
  user,
  validate,
  when,
  type PartitionOptions
} from "../../../dsl/index.ts"
import { estimate } from "../../../runtime/execute/estimate.ts"
import { makeGraph } from "../../../runtime/execute/graph.ts"
import type { Sample, SampledItem } from "../../../runtime/execute/sample.ts"

const Item = Schema.Struct({ id: Schema.String })
const Label = Schema.Struct({ label: Schema.String })
const items = jsonl("x.jsonl", { schema: Item, key: ({ id }) => id })
const cheap = local("cheap", () => ({ label: "a" }))
const dear = openai("dear", { account: "main" })

interface Wanted {
  readonly partition?: PartitionOptions<typeof Item.Type, string>
  readonly model?: "local" | "cascade"
  readonly schedule?: boolean
}

const jobOf = ({ partition: options = {}, model = "local", schedule = false }: Wanted) => {
  const parts = partition(items, options)
  const prompt = ({ id }: typeof Item.Type) => [user`${id}`] as const
  const labels =
    model === "local"
      ? infer(parts, { model: cheap, prompt, output: Label })
      : infer(parts, { model: [cheap, dear], accept: () => true, maxTokens: 10, prompt, output: Label })
  const trusted = validate(labels, { known: { pass: () => true, orElse: deadLetter } })
  const some = when(trusted, () => true)
  const total = aggregate(trusted, { count })
  const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const
  return job("test", {
    ...about,
    steps: { items, labels, trusted, some, total },
    ...(schedule ? { schedule: cron("0 1 * * *", { timeZone: "UTC", within: "1 hour" }) } : {})
  })
}

const item = (key: string, over: Partial<SampledItem> = {}): SampledItem => ({ key, label: "", weight: 1, bytes: 100, ...over })
const sampleOf = (sampled: ReadonlyArray<SampledItem>, over: Partial<Sample> = {}): Sample => ({
  items: sampled,
  examples: [],
  rejections: [],
  rowsTotal: sampled.length + (over.rejections ?? []).length,
  isWhole: true,
  ...over
})
const many = (count: number, over: (index: number) => Partial<SampledItem> = () => ({})): ReadonlyArray<SampledItem> =>
  Array.from({ length: count }, (_, index) => item(`k${index}`, over(index)))

const estimated = (sample: Sample | null, wanted: Wanted = {}, measuredPerMinute: number | null = null) => {
  const declared = jobOf(wanted)
  return estimate({
    plan: compile(declared),
    graph: makeGraph(declared),
    sample,
    measuredPerMinute,
    prompts: null,
    measuredUsage: null,
    at: new Date("2026-11-25T00:00:00Z"),
    hashKey: (key) => createHash("sha256").update(key).digest()
  })
}

describe("the estimate of an input that was read to its end", () => {
  it("counts items and rejected rows exactly", () => {
    const rejections = [{ code: "schema", reason: "no id", place: { file: "x", line: 1 } }]
    expect(estimated(sampleOf(many(10), { rejections })).input).toEqual({
      precision: "exact",
      items: 10,
      rejected: 1,
      rowsRead: 11,
      bytes: 1_000
    })
  })

  it("[PAR-3] sizes partitions by ten minutes of throughput, and says how uneven they come out", () => {
    const heavy = sampleOf(many(1_000, (index) => ({ weight: index === 0 ? 1_000 : 1 })))
    const byHash = estimated(heavy, {}, 20).partitions
    // 20 a minute for ten minutes.
    expect(byHash?.count).toBe(8)
    expect(byHash?.skew.items).toBeGreaterThan(1)
    expect(byHash?.skew.items).toBeLessThan(1.4)
    const byWeight = estimated(heavy, { partition: { weight: () => 1 } }, 20).partitions
    expect(byWeight).toMatchObject({ strategy: "weight", count: 8 })
    // One item outweighs its partition's share: nothing can even that out.
    expect(byWeight?.skew.weight).toBeCloseTo(1_000 / (1_999 / 8), 5)
  })

  it("[PAR-3] weight evens out what a hash leaves uneven", () => {
    const uneven = sampleOf(many(1_000, (index) => ({ weight: 1 + (index % 50) ** 2 })))
    const [hash, weight] = [
      estimated(uneven, {}, 10).partitions?.skew.weight ?? 0,
      estimated(uneven, { partition: { weight: () => 1 } }, 10).partitions?.skew.weight ?? 0
    ]
    expect(hash).toBeGreaterThan(1.05)
    expect(weight).toBeLessThan(1.01)
  })

  it("[PAR-2] gives each label its own partitions", () => {
    const labelled = sampleOf(many(500, (index) => ({ label: index < 450 ? "AU" : "NZ" })))
    expect(estimated(labelled, { partition: { by: () => "x", itemsMax: 100 } }).partitions).toMatchObject({
      strategy: "by",
      labels: [
        { label: "AU", items: 450, partitions: 5 },
        { label: "NZ", items: 50, partitions: 1 }
      ]
    })
  })

  it("needs room for the copied bodies and 200 bytes a checkpoint, and a fifth more", () => {
    const { diskBytes, checkpointsPerItem } = estimated(sampleOf(many(10)))
    // labels, trusted, and `some`, where items end.
    expect(checkpointsPerItem).toBe(3)
    expect(diskBytes).toBe(1.2 * (10 * 100 + 10 * 3 * 200))
    expect(estimated(sampleOf(many(10)), { model: "cascade" }).checkpointsPerItem).toBe(5)
  })

  it("an empty input has no partitions and needs one worker", () => {
    expect(estimated(sampleOf([]), { schedule: true })).toMatchObject({
      input: { items: 0 },
      partitions: null,
      workers: { minimum: 1 },
      diskBytes: 0
    })
  })
})

describe("the estimate of an input that was left early", () => {
  it("scales what was read to all rows, and says about", () => {
    const left = sampleOf(many(90), {
      isWhole: false,
      rowsTotal: 1_000,
      rejections: Array.from({ length: 10 }, () => ({ code: "schema", reason: "", place: { file: "x", line: 1 } }))
    })
    expect(estimated(left).input).toEqual({ precision: "about", items: 900, rejected: 100, rowsRead: 100, bytes: 90_000 })
  })

  it("says at least where nothing tells how much more there is", () => {
    expect(estimated(sampleOf(many(90), { isWhole: false, rowsTotal: null })).input).toMatchObject({ precision: "at least", items: 90 })
  })

  it("knows items and workers where rows were counted and none was read, and not what they weigh", () => {
    const counted = sampleOf([], { isWhole: false, rowsTotal: 36_000 })
    expect(estimated(counted, { schedule: true }, 60)).toMatchObject({
      input: { precision: "about", items: 36_000, bytes: null },
      partitions: null,
      workers: { minimum: 13 },
      diskBytes: null
    })
    expect(estimated(sampleOf([], { isWhole: false, rowsTotal: null })).input).toBeNull()
  })

  it("[PAR-3] a few rows spread over many partitions aren't taken for skew, unequal labels are", () => {
    const left = (over: (index: number) => Partial<SampledItem>) => sampleOf(many(1_000, over), { isWhole: false, rowsTotal: 1_000_000 })
    expect(estimated(left(() => ({}))).partitions?.skew.items).toBe(1)
    const labels = estimated(
      left((index) => ({ label: index < 900 ? "AU" : "NZ" })),
      { partition: { by: () => "x", itemsMax: 600_000 } }
    ).partitions
    expect(labels?.skew.items).toBeCloseTo(450_000 / (1_000_000 / 3), 5)
  })
})

describe("the estimate of capacity and price", () => {
  it("[EXE-1] the minimum of workers follows from items, deadline and the throughput that was measured", () => {
    const night = sampleOf(many(100), { isWhole: false, rowsTotal: 36_000 })
    // Ten a second are needed; one worker does one a second: 10 × 1.25.
    expect(estimated(night, { schedule: true }, 60)).toMatchObject({
      throughput: { source: "measured", itemsPerMinute: 60 },
      workers: { minimum: 13, start: 13 }
    })
    expect(estimated(night, { schedule: false }, 60).workers).toEqual({ minimum: null, start: 4 })
  })

  it("an input that wasn't read leaves items, partitions, workers and disk open", () => {
    expect(estimated(null, { schedule: true })).toMatchObject({
      input: null,
      partitions: null,
      workers: { minimum: null, start: 4 },
      diskBytes: null,
      priceUsd: 0
    })
  })

  it("embedded models cost nothing, and a price that isn't known isn't zero", () => {
    expect(estimated(sampleOf(many(1))).priceUsd).toBe(0)
    expect(estimated(sampleOf(many(1)), { model: "cascade" }).priceUsd).toBeNull()
  })
})
