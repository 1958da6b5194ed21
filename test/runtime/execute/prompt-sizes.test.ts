import { expect, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { infer, job, jsonl, local, openai, partition, system, usd, user, when, type Job } from "../../../dsl/index.ts"
import { makeGraph } from "../../../runtime/execute/graph.ts"
import { measurePrompts } from "../../../runtime/execute/prompt-sizes.ts"

const Item = Schema.Struct({ id: Schema.String, text: Schema.String })
const Label = Schema.Struct({ label: Schema.String })
const items = jsonl("x.jsonl", { schema: Item, key: ({ id }) => id })
const parts = partition(items, { by: ({ id }) => (id.startsWith("vip") ? "vip" : "usual") })
const mini = openai("gpt-5-mini", { account: "desk" })
const large = openai("gpt-5", { account: "desk" })
const prompt = ({ text }: typeof Item.Type) => [system`Label this mail.`, user`${text}`] as const
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const

const examples = ["a short one", "word ".repeat(1_000)].map((text, index) => ({ item: { id: `k${index}`, text }, label: "usual" }))
const measured = (declared: Job, some: ReadonlyArray<{ readonly item: unknown; readonly label: string }> = examples) =>
  measurePrompts(makeGraph(declared), some, Context.empty())

describe("the sizes of prompts", () => {
  it.effect("[CST-1] are counted item by item: a long text is a long prompt, and each has its instruction and schema", () =>
    Effect.gen(function* () {
      const labels = infer(parts, { model: mini, maxTokens: 50, prompt, output: Label })
      const { measured: looked, sizes, failures } = yield* measured(job("test", { ...about, steps: { items, parts, labels } }))
      expect({ looked, failures }).toEqual({ looked: 2, failures: [] })
      expect(sizes).toMatchObject([{ infer: "labels", step: "labels", maxTokens: 50, place: 0, items: 2, isFiltered: false }])
      const [short = 0, long = 0] = sizes[0]?.tokens ?? []
      expect(short).toBeGreaterThan(15)
      expect(short).toBeLessThan(150)
      // A thousand times the same word are a thousand tokens.
      expect(long - short).toBeGreaterThan(900)
      expect(long - short).toBeLessThan(1_100)
      // Of which "Label this mail." is in both.
      expect(sizes[0]?.sharedTokens).toBeGreaterThan(2)
      expect(sizes[0]?.sharedTokens).toBeLessThan(short)
      const alone = yield* measured(job("test", { ...about, steps: { items, parts, labels } }), examples.slice(0, 1))
      expect(alone.sizes[0]?.sharedTokens).toBe(0)
    })
  )

  it.effect("[CST-1] of a cascade are its remote models', each at its place; an embedded one has none", () =>
    Effect.gen(function* () {
      const words = local("words", () => ({ label: "a" }))
      const labels = infer(parts, { model: [words, mini, large], accept: () => true, maxTokens: 50, prompt, output: Label })
      const { sizes } = yield* measured(job("test", { ...about, steps: { items, parts, labels } }))
      expect(sizes.map(({ model, place, items: given }) => [model.name, place, given])).toEqual([
        ["gpt-5-mini", 1, 2],
        ["gpt-5", 2, 2]
      ])
      const only = infer(parts, { model: words, prompt, output: Label })
      expect(yield* measured(job("test", { ...about, steps: { items, parts, only } }))).toEqual({ measured: 0, sizes: [], failures: [] })
    })
  )

  it.effect("[CST-1] leave out items that a filter stops, and are open where a prompt reads answers", () =>
    Effect.gen(function* () {
      const long = when(parts, ({ text }) => text.length > 100)
      const labels = infer(long, { model: mini, maxTokens: 50, prompt, output: Label })
      const sure = when(labels, ({ output }) => output.label !== "")
      const gist = infer(sure, { model: large, maxTokens: 50, prompt: ({ output }) => [user`${output.label}`], output: Label })
      const { sizes } = yield* measured(job("test", { ...about, steps: { items, parts, long, labels, sure, gist } }))
      expect(sizes).toMatchObject([
        { step: "labels", items: 1, isFiltered: false },
        { step: "gist", items: 2, tokens: null, isFiltered: true }
      ])
      expect(sizes[0]?.tokens).toHaveLength(1)
    })
  )

  it.effect("[CST-1] name a prompt that fails for every item; one that fails for some leaves those out", () =>
    Effect.gen(function* () {
      const failing = (fails: (id: string) => boolean) =>
        infer(parts, {
          model: mini,
          maxTokens: 50,
          output: Label,
          prompt: ({ id, text }) => {
            if (fails(id)) throw new Error("no such customer")
            return [user`${text}`]
          }
        })
      const always = failing(() => true)
      const all = yield* measured(job("test", { ...about, steps: { items, parts, always } }))
      expect(all.failures).toEqual([{ step: "always", reason: expect.stringContaining("no such customer") }])
      const sometimes = failing((id) => id === "k0")
      const some = yield* measured(job("test", { ...about, steps: { items, parts, sometimes } }))
      expect(some).toMatchObject({ measured: 2, failures: [], sizes: [{ items: 1 }] })
    })
  )
})
