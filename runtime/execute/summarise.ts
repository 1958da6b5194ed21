/** Aggregates and reports: what many answers come to, computed from the ledger alone, without new calls (VAL-6). */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { AggregateDefinition } from "../../dsl/index.ts"
import { mask, maskJson } from "../provider/redaction.ts"
import { Ledger, type LedgerShape, type StepRow } from "../store/ledger.ts"
import type { StoreError } from "../store/store-error.ts"
import { callEventually } from "./callback.ts"
import type { Graph, RowNode } from "./graph.ts"
import { SummaryFailed } from "./run-error.ts"
import { onThread } from "./thread-note.ts"
import type { ItemSource } from "./work.ts"

export interface SummariseOptions {
  readonly run: string
  readonly graph: Graph
  readonly services: Context.Context<never>
  readonly source: ItemSource
}

/** Computes and saves every aggregate, then every report. Runs again with the same result. */
export const summarise = Effect.fn("Run.summarise")(function* (options: SummariseOptions) {
  const ledger = yield* Ledger
  const { run, graph, services } = options
  const values = new Map<string, unknown>()
  for (const { name, reads, definition } of graph.aggregates) {
    const value = yield* aggregateValue(ledger, options, name, reads, definition)
    values.set(name, value)
    yield* ledger.saveSummary(name, maskJson(value))
  }
  for (const { name, reads, definition } of graph.reports) {
    const text = yield* callEventually({ seq: null, step: name, callback: "report" }, services, () =>
      definition.text(values.get(reads))
    ).pipe(Effect.mapError(({ detail }) => new SummaryFailed({ run, step: name, detail })))
    yield* ledger.saveReport(name, mask(text))
  }
})

const aggregateValue = Effect.fnUntraced(function* (
  ledger: LedgerShape,
  options: SummariseOptions,
  name: string,
  reads: string,
  definition: AggregateDefinition
) {
  if (definition.query !== undefined) {
    return yield* Effect.mapError(ledger.query(reads, definition.query), (error) =>
      isOfTheQuery(error) ? new SummaryFailed({ run: options.run, step: name, detail: error.detail }) : error
    )
  }
  const folds = Object.entries(definition.reducers ?? {}).map(([value, reducer]) => [value, reducer.start()] as const)
  const decode = decoderOf(options.graph, reads)
  const failed = (cause: unknown): SummaryFailed =>
    new SummaryFailed({ run: options.run, step: name, detail: cause instanceof Error ? cause.message : String(cause) })
  yield* Stream.runForEach(ledger.rows(reads), (rows) =>
    Effect.forEach(
      rows.filter(({ reference }) => reference !== null),
      ({ reference }) => options.source.fromReference(reference ?? ""),
      { concurrency: 1 }
    ).pipe(
      Effect.flatMap((referenced) =>
        Effect.try({
          try: () => {
            let next = 0
            for (const row of rows) {
              const referencedItem = row.reference === null ? undefined : { item: referenced[next++] }
              const answer = new LazyAnswer(row, decode, options.source, referencedItem)
              for (const [value, fold] of folds)
                onThread({ seq: row.seq, step: name, callback: `reducer "${value}"` }, () => fold.add(answer))
            }
          },
          catch: failed
        })
      )
    )
  )
  return yield* Effect.try({ try: () => Object.fromEntries(folds.map(([value, fold]) => [value, fold.value()])), catch: failed })
})

/** Rather than of the disk beneath it. A column or table that isn't there counts as missing. */
const isOfTheQuery = ({ reason }: StoreError): boolean => reason === "query" || reason === "missing"

/** Reads a step's stored output back: an infer's by its schema, a join's branch by branch. */
const decoderOf = (graph: Graph, step: string): ((json: unknown) => unknown) => {
  const node = graph.rows.find(({ name }) => name === step)
  if (node === undefined) throw new Error(`There is no step "${step}" with answers`)
  if (node.kind === "infer") return node.decode
  if (node.kind === "join") return joinDecoder(graph, node)
  return decoderOf(graph, node.reads[0] ?? "")
}

const joinDecoder = (graph: Graph, node: Extract<RowNode, { kind: "join" }>): ((json: unknown) => unknown) => {
  const branches = node.definition.branchNames.map((branch, index) => [branch, decoderOf(graph, node.reads[index] ?? "")] as const)
  return (json) => {
    // Written by the join itself, one field a branch.
    const fields = json as Readonly<Record<string, unknown>>
    return Object.fromEntries(branches.map(([branch, decode]) => [branch, decode(fields[branch])]))
  }
}

/** Decodes what a reducer looks at, once, and nothing else: counting ten million answers shouldn't parse them. */
class LazyAnswer {
  readonly key: string
  readonly model: string
  readonly attempt: number
  readonly #row: StepRow
  readonly #decode: (json: unknown) => unknown
  readonly #source: ItemSource
  #item: { readonly item: unknown } | undefined
  #output: { readonly output: unknown } | undefined

  constructor(row: StepRow, decode: (json: unknown) => unknown, source: ItemSource, item: { readonly item: unknown } | undefined) {
    this.key = row.key
    this.model = row.model
    this.attempt = row.attempt
    this.#row = row
    this.#decode = decode
    this.#source = source
    this.#item = item
  }

  get item(): unknown {
    this.#item ??= { item: this.#source.fromBody(this.#row.body ?? "null") }
    return this.#item.item
  }
  get output(): unknown {
    this.#output ??= { output: this.#decode(JSON.parse(this.#row.output)) }
    return this.#output.output
  }
}
