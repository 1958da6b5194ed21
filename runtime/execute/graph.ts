/** A job made ready to run: its steps in reading order with everything per step worked out once. */
import * as Schema from "effect/Schema"

import {
  definitionOf,
  digest,
  isTerminal,
  jsonSchemaOf,
  modelSteps,
  promptDigest,
  stepsInOrder,
  type AggregateDefinition,
  type Eventually,
  type InferDefinition,
  type Job,
  type JoinDefinition,
  type JsonSchema,
  type Message,
  type Model,
  type PartitionDefinition,
  type ReportDefinition,
  type SourceDefinition,
  type Step,
  type ValidateDefinition,
  type WhenDefinition
} from "../../dsl/index.ts"
import { structuredOutput } from "../provider/structured-output.ts"

interface NodeBase {
  readonly name: string
  readonly reads: ReadonlyArray<string>
  readonly terminal: boolean
  /** Rows of it are read by an aggregate: it needs a checkpoint of its own. */
  readonly aggregated: boolean
}

export interface InferNode extends NodeBase {
  readonly kind: "infer"
  readonly definition: InferDefinition
  readonly models: ReadonlyArray<{ readonly step: string; readonly model: Model }>
  readonly schema: JsonSchema
  /** Stands for schema and parameters in a request's digest. */
  readonly parameters: string
  readonly promptSource: string
  readonly overrides: ReadonlyMap<string, PromptOverride>
  /** Reads an answer as it is stored. */
  readonly decode: (json: unknown) => unknown
  /** Reads an answer as an engine gives it, in its dialect of JSON. */
  readonly decodeReply: (engine: Model["engine"], json: unknown) => unknown
  readonly encode: (output: unknown) => unknown
  /** Steps whose outcome hangs on this one's answer, itself included: what a second answer makes void. */
  readonly dependents: ReadonlySet<string>
}

export interface PromptOverride {
  readonly model: Model | undefined
  readonly prompt: (row: unknown) => Eventually<ReadonlyArray<Message>>
  readonly promptSource: string
}

export interface ValidateNode extends NodeBase {
  readonly kind: "validate"
  readonly definition: ValidateDefinition
  /** The infer that a `retry` verdict asks again; null where rows come from a join. */
  readonly asks: string | null
}
export interface WhenNode extends NodeBase {
  readonly kind: "when"
  readonly definition: WhenDefinition
}
export interface JoinNode extends NodeBase {
  readonly kind: "join"
  readonly definition: JoinDefinition
}
export type RowNode = InferNode | ValidateNode | WhenNode | JoinNode

export interface Graph {
  readonly source: { readonly name: string; readonly definition: SourceDefinition }
  readonly partition: { readonly name: string; readonly definition: PartitionDefinition }
  /** Every step that takes rows, after the steps it reads; an infer only when nothing else is ready, so that no call stands between an answer and its rules. */
  readonly rows: ReadonlyArray<RowNode>
  readonly terminals: number
  readonly aggregates: ReadonlyArray<{ readonly name: string; readonly reads: string; readonly definition: AggregateDefinition }>
  readonly reports: ReadonlyArray<{ readonly name: string; readonly reads: string; readonly definition: ReportDefinition }>
}

/** Lays out a compiled job. It must have passed `compile`. */
export const makeGraph = (job: Job): Graph => {
  const nameOf = (step: Step): string => job.names.get(step) ?? step.kind
  const steps = stepsInOrder(job).map((step) => ({ step, name: nameOf(step), definition: definitionOf(step) }))
  const readers = (step: Step) => steps.filter(({ definition }) => definition.reads.includes(step as never))
  const rows: Array<RowNode> = []
  const aggregates: Array<Graph["aggregates"][number]> = []
  const reports: Array<Graph["reports"][number]> = []
  let source: Graph["source"] | undefined
  let partition: Graph["partition"] | undefined
  for (const { step, name, definition } of steps) {
    const reads = definition.reads.map(nameOf)
    const base = {
      name,
      reads,
      terminal: isTerminal(job, step),
      aggregated: readers(step).some((reader) => reader.definition.kind === "aggregate")
    }
    const first = reads[0] ?? ""
    if (definition.kind === "source") source = { name, definition }
    else if (definition.kind === "partition") partition = { name, definition }
    else if (definition.kind === "aggregate") aggregates.push({ name, reads: first, definition })
    else if (definition.kind === "report") reports.push({ name, reads: first, definition })
    else if (definition.kind === "infer") rows.push(inferNode(base, definition, dependentsOf(step, readers, nameOf)))
    else if (definition.kind === "validate")
      rows.push({ ...base, kind: "validate", definition, asks: askedBy(definition.reads[0], nameOf) })
    else if (definition.kind === "when") rows.push({ ...base, kind: "when", definition })
    else rows.push({ ...base, kind: "join", definition })
  }
  if (source === undefined || partition === undefined) throw new Error("A compiled job has a source and a partition")
  return {
    source,
    partition,
    rows: callsLast(rows, partition.name),
    terminals: rows.filter(({ terminal }) => terminal).length,
    aggregates,
    reports
  }
}

/** Every model that any infer of the job may ask, overrides too. */
export const modelsOf = (graph: Graph): ReadonlyArray<Model> => [
  ...new Set(graph.rows.flatMap((node) => (node.kind === "infer" ? modelsAt(node) : [])))
]

/** A step's own models and those of its overrides. */
export const modelsAt = ({ models, overrides }: InferNode): ReadonlyArray<Model> => [
  ...models.map(({ model }) => model),
  ...[...overrides.values()].flatMap(({ model }) => model ?? [])
]

/** Whether calls of it leave the process, and cost money. */
export const isRemote = ({ engine }: Model): boolean => engine !== "local"

const inferNode = (base: NodeBase, definition: InferDefinition, dependents: ReadonlySet<string>): InferNode => {
  const codec = Schema.toCodecJson(definition.output)
  const schema = jsonSchemaOf(definition.output)
  const steps = modelSteps(base.name, definition.models)
  return {
    ...base,
    kind: "infer",
    definition,
    models: definition.models.map((model, index) => ({ model, step: steps[index] ?? base.name })),
    schema,
    parameters: digest({ schema, maxTokens: definition.maxTokens ?? null, temperature: definition.temperature ?? null }),
    promptSource: promptDigest(definition),
    overrides: new Map(
      Object.entries(definition.overrides).map(([label, { model, prompt }]) => [
        label,
        { model, prompt: prompt ?? definition.prompt, promptSource: promptDigest(definition, prompt ?? definition.prompt) }
      ])
    ),
    decode: Schema.decodeUnknownSync(codec),
    decodeReply: (engine, json) => structuredOutput(definition.output, engine).decode(json),
    encode: Schema.encodeSync(codec),
    dependents
  }
}

type Readers = (step: Step) => ReadonlyArray<{ readonly step: Step; readonly definition: ReturnType<typeof definitionOf> }>

const dependentsOf = (step: Step, readers: Readers, nameOf: (step: Step) => string): ReadonlySet<string> =>
  new Set([nameOf(step), ...readers(step).flatMap(({ step: reader }) => [...dependentsOf(reader, readers, nameOf)])])

/** Topological order in which an infer waits until no other step is ready. */
const callsLast = (rows: ReadonlyArray<RowNode>, given: string): ReadonlyArray<RowNode> => {
  const done = new Set([given])
  const waiting = [...rows]
  const ordered: Array<RowNode> = []
  while (waiting.length > 0) {
    const isReady = ({ reads }: RowNode): boolean => reads.every((read) => done.has(read))
    const ready = waiting.findIndex((node) => node.kind !== "infer" && isReady(node))
    const at = ready >= 0 ? ready : waiting.findIndex(isReady)
    const [node] = waiting.splice(at, 1)
    if (at < 0 || node === undefined) throw new Error("A compiled job has no cycle")
    done.add(node.name)
    ordered.push(node)
  }
  return ordered
}

/** The infer whose answer a validate looks at. */
const askedBy = (step: Step, nameOf: (step: Step) => string): string | null => {
  const definition = definitionOf(step)
  if (definition.kind === "infer") return nameOf(step)
  return definition.kind === "validate" || definition.kind === "when" ? askedBy(definition.reads[0], nameOf) : null
}
