import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

import {
  deadLetter,
  flag,
  infer,
  job,
  jsonl,
  local,
  partition,
  retry,
  review,
  system,
  usd,
  user,
  validate,
  type Model
} from "../../../dsl/index.ts"
import { makeGraph, type Graph } from "../../../runtime/execute/graph.ts"
import { stepNames, stepsUpTo, tryItem } from "../../../runtime/execute/try-item.ts"
import type { SourceItem } from "../../../runtime/source/source-item.ts"
import { localProvider } from "../../../runtime/provider/local.ts"
import { Provider } from "../../../runtime/provider/provider.ts"

const Item = Schema.Struct({ id: Schema.String, text: Schema.String })
type Item = typeof Item.Type
const Label = Schema.Struct({ label: Schema.Literals(["a", "b"]), score: Schema.Finite })
const about = { owner: "desk", purpose: "test", classification: "internal", budget: usd(1) } as const
const parts = partition(jsonl("x.jsonl", { schema: Item, key: ({ id }) => id }), { by: ({ text }) => (text === "" ? "" : "all") })
const prompt = (item: Item) => [system`Label it.`, user`Text: ${item.text}`] as const
const always = (label: string, score: number) => local(`always-${label}`, () => ({ label, score }))

const graphOf = (steps: object): Graph => makeGraph(job("test", { ...about, steps } as never))
const labelsBy = (model: Model) => infer(parts, { model, prompt, output: Label, confidence: ({ score }) => score })
const itemOf = (text = "hello"): SourceItem => ({
  kind: "item",
  key: "k",
  item: { id: "k", text },
  body: "{}",
  bytes: 2,
  reference: null,
  place: { file: "x.jsonl", line: 1 }
})
const provider = await Effect.runPromise(Effect.provide(Provider, localProvider(Context.empty())))
const tried = (graph: Graph, item = itemOf()) =>
  Effect.runPromise(tryItem({ graph, services: Context.empty(), provider, codeVersion: "code", item }))

describe("a tried item", () => {
  it("shows each call: the rendered prompt, the request, the answer, its confidence and price", async () => {
    const { events, label, disposition } = await tried(graphOf({ labels: labelsBy(always("a", 0.9)) }), itemOf("a < b"))
    expect({ label, disposition }).toEqual({ label: "all", disposition: "delivered" })
    expect(events).toEqual([
      expect.objectContaining({
        kind: "call",
        step: "labels",
        model: "always-a",
        attempt: 1,
        messages: [
          { role: "system", text: "Label it.", data: [] },
          { role: "user", text: "Text: <data>a &lt; b</data>", data: ["a < b"] }
        ],
        outcome: "answered",
        raw: '{"label":"a","score":0.9}',
        output: { label: "a", score: 0.9 },
        confidence: 0.9,
        costUsd: 0,
        problem: null,
        promptVersion: expect.stringMatching(/^[0-9a-f]{12}$/),
        requestDigest: expect.stringMatching(/^[0-9a-f]{32}$/)
      })
    ])
  })

  it("shows what a model said that didn't fit, and why, at every try", async () => {
    const { events, disposition } = await tried(graphOf({ labels: labelsBy(local("odd", () => '{"label":"c","score":1}')) }))
    expect(events).toHaveLength(4)
    expect(events[0]).toMatchObject({
      outcome: "wrong-schema",
      raw: '{"label":"c","score":1}',
      output: null,
      problem: expect.stringContaining("schema")
    })
    expect(disposition).toBe("dead")
  })

  it("shows each rule's verdict up to the one that stops the item, and none behind it", async () => {
    const trusted = validate(labelsBy(always("a", 0.5)), {
      known: { pass: ({ output }) => output.label === "a", orElse: deadLetter },
      long: { pass: () => Effect.succeed(false), orElse: flag },
      sure: { pass: ({ output }) => Promise.resolve(output.score > 0.6), orElse: review },
      never: { pass: () => true, orElse: deadLetter }
    })
    const { events, steps, problems, disposition } = await tried(graphOf({ trusted }))
    expect(events.slice(1)).toEqual([
      { kind: "rule", step: "trusted", rule: "known", passed: true, orElse: "deadLetter", problem: null },
      { kind: "rule", step: "trusted", rule: "long", passed: false, orElse: "flag", problem: null },
      { kind: "rule", step: "trusted", rule: "sure", passed: false, orElse: "review", problem: null }
    ])
    expect(steps.at(-1)).toEqual({ step: "trusted", status: "review", disposition: "review", code: "rule", rule: "sure" })
    expect({ problems, disposition }).toEqual({ problems: [], disposition: "review" })
  })

  it("[case 63] a rule that throws says what it threw, and the item doesn't pass", async () => {
    const trusted = validate(labelsBy(always("a", 1)), {
      broken: {
        pass: () => {
          throw new Error("no such field")
        },
        orElse: review
      }
    })
    const { events, disposition } = await tried(graphOf({ trusted }))
    expect(events[1]).toMatchObject({ rule: "broken", passed: false, problem: "no such field" })
    expect(disposition).toBe("dead")
  })

  it("[EXE-10] a cascade shows every model that was asked, and a retry what the model was told", async () => {
    const cascade = infer(parts, {
      model: [always("a", 0.4), always("b", 0.8)],
      accept: ({ output }) => output.score > 0.5,
      prompt,
      output: Label
    })
    const trusted = validate(cascade, {
      sure: { pass: ({ attempt }) => attempt === 2, orElse: retry({ attemptsMax: 2, feedback: "Be sure." }) }
    })
    const { events, disposition } = await tried(graphOf({ cascade, trusted }))
    const calls = events.flatMap((event) => (event.kind === "call" ? [event] : []))
    expect(calls.map(({ step, attempt }) => `${step} ${attempt}`)).toEqual([
      "cascade_1_always_a 1",
      "cascade_2_always_b 1",
      "cascade_2_always_b 2"
    ])
    expect(calls[2]?.messages.at(-1)?.text).toContain("Be sure.")
    expect(disposition).toBe("delivered")
  })

  it("a prompt that throws is told without a call", async () => {
    const labels = infer(parts, {
      model: always("a", 1),
      output: Label,
      prompt: (): ReturnType<typeof prompt> => {
        throw new Error("no text")
      }
    })
    const { events, problems, disposition } = await tried(graphOf({ labels }))
    expect(events).toEqual([])
    expect(problems).toEqual([{ step: "labels", code: "prompt-failed", message: expect.stringContaining("no text") }])
    expect(disposition).toBe("dead")
  })

  it("an item that no partition takes fails with what the callback returned", async () => {
    const failed = await Effect.runPromise(
      Effect.flip(
        tryItem({
          graph: graphOf({ labels: labelsBy(always("a", 1)) }),
          services: Context.empty(),
          provider,
          codeVersion: "code",
          item: itemOf("")
        })
      )
    )
    expect(failed.message).toContain('by returned ""')
  })
})

describe("the steps up to one", () => {
  const first = labelsBy(always("a", 1))
  const second = infer(first, {
    model: [always("a", 1), always("b", 1)],
    accept: () => true,
    prompt: ({ item }) => [user`${item.text}`],
    output: Label
  })
  const graph = graphOf({ first, second, checked: validate(second, { any: { pass: () => true, orElse: review } }) })

  it("are those it reads, however far up, and no step behind it is asked", async () => {
    expect(stepsUpTo(graph, "first").rows.map(({ name }) => name)).toEqual(["first"])
    expect(stepsUpTo(graph, "second_2_always_b").rows.map(({ name }) => name)).toEqual(["first", "second"])
    const { events, disposition } = await tried(stepsUpTo(graph, "first"))
    expect(events.map(({ step }) => step)).toEqual(["first"])
    // It went no further, so nothing is decided.
    expect(disposition).toBeNull()
  })

  it("a cascade answers to its own name and to those of its models", () => {
    expect(graph.rows.flatMap(stepNames)).toEqual(["first", "second", "second_1_always_a", "second_2_always_b", "checked"])
  })
})
