/** Holds a person's answer against the schema of the step that it is for, and against the rules that look at it, as if a model had given it. */
import * as Effect from "effect/Effect"

import type { Job } from "../../dsl/index.ts"
import { makeItemReader } from "../source/item-reader.ts"
import { makeGraph, type Graph, type InferNode } from "./graph.ts"
import { judge } from "./judge.ts"
import { buildServices } from "./services.ts"

export interface CorrectionCheck {
  readonly job: Job
  /** The step that stopped the item. */
  readonly stop: string
  readonly key: string
  /** JSON text; null where `reference` stands for it. */
  readonly body: string | null
  readonly reference: string | null
  readonly output: unknown
  readonly by: string
}

/** The infer that it answers for and its JSON, or why it can't stand, as a sentence. */
export const checkCorrection = Effect.fn("Review.checkCorrection")(function* ({
  job,
  stop,
  key,
  body,
  reference,
  output,
  by
}: CorrectionCheck) {
  const graph = makeGraph(job)
  const node = graph.rows.find(({ name }) => name === stop)
  // An answer that its model was unsure of is stopped at the infer itself.
  const infer = node?.kind === "validate" ? graph.rows.find(({ name }) => name === node.asks) : node
  if (node === undefined || infer?.kind !== "infer")
    return {
      problem: `step "${stop}" looks at no single answer of a model in today's job, so there is nothing to correct: accept or reject it.`
    }
  const decoded = decodedBy(infer, output)
  if ("problem" in decoded) return decoded
  const services = yield* buildServices(job)
  const reader = makeItemReader(graph.source.definition)
  const item =
    reference === null
      ? yield* Effect.sync(() => reader.fromBody(body ?? "null"))
      : yield* Effect.provideContext(reader.fromReference(JSON.parse(reference)), services)
  const answer = { key, item, output: decoded.value, model: `person:${by}`, attempt: 1 }
  for (const rules of rulesUpTo(graph, node.name)) {
    const judged = yield* judge(rules, answer, services, true)
    if (judged.kind !== "passed") return { problem: `${judged.message.replace(/\.?$/, ".")}` }
  }
  return { step: infer.name, output: JSON.stringify(infer.encode(decoded.value)) }
}, Effect.scoped)

/** The validates between the infer and the one that stopped the item, it last. */
const rulesUpTo = (graph: Graph, name: string): ReadonlyArray<Extract<Graph["rows"][number], { kind: "validate" }>> => {
  const node = graph.rows.find((each) => each.name === name)
  if (node === undefined || node.kind === "infer" || node.kind === "join") return []
  const before = rulesUpTo(graph, node.reads[0] ?? "")
  return node.kind === "validate" ? [...before, node] : before
}

/** As it is stored: where it doesn't fit, the schema's own words say which field. */
const decodedBy = (node: InferNode, output: unknown): { readonly value: unknown } | { readonly problem: string } => {
  try {
    return { value: node.decode(output) }
  } catch (cause) {
    const said = (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s*\n\s*/g, " ")
    return { problem: `it doesn't fit the output schema of ${node.name}: ${said}.` }
  }
}
