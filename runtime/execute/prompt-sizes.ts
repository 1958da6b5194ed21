/** How long the prompts of a job's remote models are, over a few of its items: nothing is asked, only rendered and counted. */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import { render, type Message, type Model } from "../../dsl/index.ts"
import { structuredOutput } from "../provider/structured-output.ts"
import { openTokenCounter, type CountTokens } from "../provider/tokens.ts"
import { callEventually, callPlain } from "./callback.ts"
import { isRemote, modelsAt, modelsOf, type Graph, type InferNode, type WhenNode } from "./graph.ts"
import type { SampledExample } from "./sample.ts"

/** However many items were given. */
const measureForMs = 2_000
/** What a chat adds around each message, and at its end. */
const tokensAroundMessage = 4
const tokensAroundChat = 3

/** What one model gets at one step. */
export interface PromptSize {
  readonly infer: string
  /** The checkpointed step of the model. */
  readonly step: string
  readonly model: Model
  readonly maxTokens: number
  /** Place in its cascade, from 0: a later model sees only what those before it weren't sure of. */
  readonly place: number
  /** Of the items measured: those that go there, as far as items alone can tell. */
  readonly items: number
  /** Input tokens of each of those; null where the prompt reads an answer, which there isn't yet. */
  readonly tokens: ReadonlyArray<number> | null
  /** Of each of those: what all prompts begin with, which a provider may read from its cache. */
  readonly sharedTokens: number
  /** A `when` that looks at answers stands before it: how many it lets pass can't be told. */
  readonly isFiltered: boolean
}

export interface PromptSizes {
  /** Items looked at: at most all that were given, and as many as two seconds were enough for. */
  readonly measured: number
  readonly sizes: ReadonlyArray<PromptSize>
  /** Steps whose prompt failed for every item that it was called with, and why. */
  readonly failures: ReadonlyArray<{ readonly step: string; readonly reason: string }>
}

/** Renders the prompts that read items directly. A callback that fails for an item leaves it out, as the run will. */
export const measurePrompts = Effect.fn("Plan.measurePrompts")(function* (
  graph: Graph,
  examples: ReadonlyArray<SampledExample>,
  services: Context.Context<never>
): Effect.fn.Return<PromptSizes> {
  const remote = modelsOf(graph).filter(isRemote)
  if (remote.length === 0) return { measured: 0, sizes: [], failures: [] }
  const count = yield* openTokenCounter(remote)
  const steps = graph.rows.flatMap((node) => (node.kind === "infer" && modelsAt(node).some(isRemote) ? [new StepPrompts(graph, node)] : []))
  const until = (yield* Clock.currentTimeMillis) + measureForMs
  let measured = 0
  const all = Effect.gen(function* () {
    for (const example of examples) {
      if ((yield* Clock.currentTimeMillis) >= until) return
      for (const step of steps) yield* step.measure(example, services, count)
      measured++
    }
  })
  // A prompt that waits for something else doesn't hold up the plan.
  yield* Effect.timeoutOption(all, measureForMs)
  return {
    measured,
    sizes: steps.flatMap((step) => step.sizes),
    failures: steps.flatMap((step) => step.failure ?? [])
  }
})

/** A message as it is sent. */
interface Part {
  readonly text: string
  readonly tokens: number
}

interface Seen {
  items: number
  /** The messages that the prompts of all items so far begin with. */
  shared: ReadonlyArray<Part>
  readonly tokens: Array<number>
}

/** One infer: which items it is given, and what its prompt makes of them. */
class StepPrompts {
  readonly #node: InferNode
  /** The filters between the items and this step; null where it reads answers. */
  readonly #filters: ReadonlyArray<WhenNode> | null
  readonly #isFiltered: boolean
  readonly #seen = new Map<Model, Seen>()
  readonly #schemaTokens = new Map<Model, number>()
  #called = 0
  #failed = 0
  #reason = ""

  constructor(graph: Graph, node: InferNode) {
    this.#node = node
    this.#filters = filtersOf(graph, node)
    this.#isFiltered = this.#filters === null && isBehindWhen(graph, node)
  }

  get failure(): { readonly step: string; readonly reason: string } | null {
    return this.#called > 0 && this.#failed === this.#called ? { step: this.#node.name, reason: this.#reason } : null
  }

  get sizes(): ReadonlyArray<PromptSize> {
    const { name, models, definition } = this.#node
    const common = { infer: name, maxTokens: definition.maxTokens ?? 0, isFiltered: this.#isFiltered }
    return [...this.#seen].flatMap(([model, { items, tokens, shared }]) => {
      const own = models.findIndex((each) => each.model === model)
      // One prompt shares nothing with another.
      const sharedTokens = tokens.length < 2 ? 0 : shared.reduce((sum, part) => sum + part.tokens, 0)
      const size = { ...common, model, items, sharedTokens, tokens: this.#filters === null ? null : tokens, place: Math.max(0, own) }
      return isRemote(model) ? [{ ...size, step: models[own]?.step ?? name }] : []
    })
  }

  measure(example: SampledExample, services: Context.Context<never>, count: CountTokens): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { overrides, definition, models } = this.#node
      const override = overrides.get(example.label)
      const asked = (override?.model === undefined ? models.map(({ model }) => model) : [override.model]).filter(isRemote)
      if (asked.length === 0) return
      if (this.#filters === null) return asked.forEach((model) => this.#add(model, null, 0))
      for (const { name, definition: filter } of this.#filters) {
        const passed = yield* Effect.result(callPlain({ seq: null, step: name, callback: "when" }, () => filter.test(example.item)))
        if (passed._tag === "Failure" || !passed.success) return
      }
      const prompt = override?.prompt ?? definition.prompt
      this.#called++
      const site = { seq: null, step: this.#node.name, callback: "prompt" }
      const rendered = yield* callEventually(site, services, () => prompt(example.item)).pipe(
        Effect.flatMap((messages) =>
          callPlain(site, () => asked.map((model) => [model, this.#partsOf(model, messages, count), this.#schemaOf(model, count)] as const))
        ),
        Effect.result
      )
      if (rendered._tag === "Success")
        return rendered.success.forEach(([model, parts, schemaTokens]) => this.#add(model, parts, schemaTokens))
      this.#failed++
      this.#reason = rendered.failure.detail
    })
  }

  #add(model: Model, parts: ReadonlyArray<Part> | null, schemaTokens: number): void {
    const seen = this.#seen.get(model) ?? { items: 0, shared: parts ?? [], tokens: [] }
    this.#seen.set(model, seen)
    seen.items++
    if (parts === null) return
    const differs = seen.shared.findIndex(({ text }, place) => parts[place]?.text !== text)
    if (differs !== -1) seen.shared = seen.shared.slice(0, differs)
    seen.tokens.push(parts.reduce((sum, { tokens }) => sum + tokens, 0) + tokensAroundChat + schemaTokens)
  }

  #partsOf(model: Model, messages: ReadonlyArray<Message>, count: CountTokens): ReadonlyArray<Part> {
    const before = this.#seen.get(model)?.shared ?? []
    return messages.map((message, place) => {
      const text = render(message)
      const known = before[place]
      // What items have in common is often the longest of it: counted once.
      return known?.text === text ? known : { text, tokens: count(model, text) + tokensAroundMessage }
    })
  }

  /** The schema goes along with every request. */
  #schemaOf(model: Model, count: CountTokens): number {
    const tokens = this.#schemaTokens.get(model) ?? count(model, structuredOutput(this.#node.definition.output, model.engine).text)
    this.#schemaTokens.set(model, tokens)
    return tokens
  }
}

/** The `when`s that an item passes on its way to a step; null where an answer stands between. */
const filtersOf = (graph: Graph, node: InferNode | WhenNode): ReadonlyArray<WhenNode> | null => {
  const read = node.reads[0]
  if (read === graph.partition.name) return []
  const before = graph.rows.find(({ name }) => name === read)
  if (before?.kind !== "when") return null
  const filters = filtersOf(graph, before)
  return filters === null ? null : [...filters, before]
}

const isBehindWhen = (graph: Graph, node: { readonly reads: ReadonlyArray<string> }): boolean =>
  graph.rows.some((before) => node.reads.includes(before.name) && (before.kind === "when" || isBehindWhen(graph, before)))
