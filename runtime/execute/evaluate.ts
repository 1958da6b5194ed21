/** A new prompt, model or parameters answer a labelled sample before any item does (GOV-2). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import { definitionOf, digest, type EvaluationDefinition, type Labelled, type RunContext } from "../../dsl/index.ts"
import { readSource } from "../source/read-source.ts"
import { bestScore, recordEvaluation } from "../store/evaluations.ts"
import type { LedgerShape, Settlement } from "../store/ledger.ts"
import type { StateFolder } from "../store/state-folder.ts"
import type { Caller } from "./caller.ts"
import { callEventually, callPlain } from "./callback.ts"
import { evaluationGate, type EvaluationGateDetail } from "./evaluation-gate.ts"
import type { Graph, InferNode } from "./graph.ts"
import type { ItemEnvironment } from "./item.ts"
import { processAtOnce } from "./process-at-once.ts"
import { EvaluationFailed } from "./run-error.ts"
import { decidedBefore, stopAtGate, waitAtGate } from "./wait-at-gate.ts"

/** Labelled rows that are asked at a time. */
const concurrency = 16
const labelledMax = 10_000
const worstShown = 5

export interface EvaluateOptions {
  readonly run: string
  readonly job: string
  readonly graph: Graph
  readonly environment: Omit<ItemEnvironment, "ledger" | "graph" | "retries">
  readonly ledger: LedgerShape
  readonly folder: StateFolder
  readonly context: RunContext
}

/**
 * Evaluates every step that asks for it and has not passed with its prompt, models and parameters. Calls are paid and recorded as the run's own. Returns early
 * where the caller halts; fails with `WaitsAtGate` where a step didn't reach its score and no person has agreed.
 */
export const evaluateSteps = Effect.fn("Run.evaluate")(function* (options: EvaluateOptions) {
  for (const node of options.graph.rows) {
    if (node.kind !== "infer" || node.definition.evaluation === undefined) continue
    if (options.environment.caller.isHalted()) return
    yield* evaluateStep(options, node, node.definition.evaluation)
  }
})

const evaluateStep = Effect.fnUntraced(function* (options: EvaluateOptions, node: InferNode, evaluation: EvaluationDefinition) {
  const { run, job, folder, ledger, environment } = options
  const labelled = yield* labelledRows(options, node, evaluation)
  const { subject, promptVersion } = yield* subjectOf(options, node, labelled)
  const about = { job, step: node.name, subject }
  const isPassed = ((yield* bestScore(folder, about)) ?? -1) >= evaluation.scoreMin
  const gates = (yield* ledger.gates).filter(({ kind, decision }) => kind === "evaluation" && decision === null)
  const open = gates.map(({ detail }) => evaluationGate.read(JSON.parse(detail))).find((detail) => detail?.step === node.name)
  if (isPassed) {
    if (open !== undefined) yield* ledger.withdrawGate("evaluation")
    return
  }
  // The same question again: asking the models once more would only cost.
  if (open?.subject === subject) return yield* stopAtGate({ ledger, run, kind: "evaluation", detail: open })
  const isSame = (earlier: EvaluationGateDetail) => earlier.step === node.name && earlier.subject === subject
  if ((yield* decidedBefore({ ledger, kind: "evaluation", isSame })) === "approved") return
  const scores = yield* Effect.forEach(labelled, (row, index) => scoreOf(options, node, evaluation, row, index), { concurrency })
  yield* ledger.flush
  // Money or account ran out amid it: the run stops, and evaluates when it goes on.
  if (environment.caller.isHalted()) return
  const score = scores.reduce((sum, each) => sum + each, 0) / scores.length
  const model = node.models.map(({ model: { name } }) => name).join(", ")
  const reached = { labelled: scores.length, score }
  yield* recordEvaluation(folder, {
    ...about,
    ...reached,
    prompt_version: promptVersion,
    model,
    score_min: evaluation.scoreMin,
    run,
    evaluated_at: new Date(yield* Clock.currentTimeMillis)
  })
  if (score >= evaluation.scoreMin) {
    yield* Effect.logInfo(
      `Run ${run}: step "${node.name}" reached ${score.toFixed(3)} on ${scores.length} labelled rows; ${evaluation.scoreMin} was asked for.`
    )
    if (open !== undefined) yield* ledger.withdrawGate("evaluation")
    return
  }
  const worst = scores
    .map((of, index) => ({ index, score: of }))
    .filter(({ score: of }) => of < 1)
    .toSorted((a, b) => a.score - b.score)
    .slice(0, worstShown)
  const detail = { step: node.name, model, promptVersion, subject, ...reached, scoreMin: evaluation.scoreMin, worst }
  yield* waitAtGate({ ledger, run, kind: "evaluation", detail, isSame })
})

const labelledRows = Effect.fnUntraced(function* (
  { context, run }: EvaluateOptions,
  { name }: InferNode,
  { labelled }: EvaluationDefinition
) {
  if (!("kind" in labelled)) return labelled
  const source = definitionOf(labelled)
  if (source.kind !== "source") return yield* Effect.die(new Error("A labelled sample is read from a source"))
  const rows = yield* readSource(source, context).pipe(Stream.take(labelledMax), Stream.runCollect)
  const read = rows.flat().slice(0, labelledMax)
  const rejected = read.find((row) => row.kind === "rejected")
  const place = rejected === undefined ? "" : `${rejected.place.file}${rejected.place.line === null ? "" : `:${rejected.place.line}`}`
  if (rejected?.kind === "rejected" || read.length === 0)
    return yield* new EvaluationFailed({
      run,
      step: name,
      detail: read.length === 0 ? "its labelled sample is empty" : `a labelled row can't be used (${place})`
    })
  // The compiler proved the source's rows.
  return read.flatMap((row) => (row.kind === "item" ? [row.item as Labelled<unknown, unknown>] : []))
})

/** The prompt's versions over the sample, the models and the parameters: a template may have other literals for other rows. */
const subjectOf = Effect.fnUntraced(function* (
  { run, environment }: EvaluateOptions,
  node: InferNode,
  labelled: ReadonlyArray<Labelled<unknown, unknown>>
) {
  const { services, versions } = environment
  const found = new Set<string>()
  for (const [index, { item }] of labelled.entries()) {
    const messages = yield* callEventually({ seq: null, step: node.name, callback: "prompt" }, services, () =>
      node.definition.prompt(item)
    ).pipe(Effect.mapError(() => new EvaluationFailed({ run, step: node.name, detail: `its prompt failed on labelled row ${index}` })))
    found.add(versions.of(messages, node.promptSource).version)
  }
  const prompts = [...found].toSorted()
  const models = node.models.map(({ model }) => versions.ofModel(model))
  const accept = node.models.length > 1 ? String(node.definition.accept) : null
  return { subject: digest({ prompts, models, accept, parameters: node.parameters }), promptVersion: prompts.join(" ") }
})

/** Asks about one labelled row through all its tries; its calls are recorded under a number below 0, which no item has. */
const scoreOf = Effect.fnUntraced(function* (
  { run, environment, graph, ledger }: EvaluateOptions,
  node: InferNode,
  evaluation: EvaluationDefinition,
  { item, expected }: Labelled<unknown, unknown>,
  index: number
) {
  if (environment.caller.isHalted()) return 0
  const itemId = `labelled-${index}`
  const settled = yield* processAtOnce(
    { ...environment, graph: aloneIn(graph, node), caller: urgent(environment.caller) },
    { key: itemId, itemId, label: null, item }
  )
  for (const settlement of settled) yield* ledger.settle(recordOf(settlement, index))
  const answer = settled.flatMap(({ answers }) => answers).at(-1)
  const isDead = settled.some(({ stops }) => stops.some(({ kind }) => kind === "dead"))
  if (answer === undefined || isDead) return 0
  const score = yield* callPlain({ seq: null, step: node.name, callback: "score" }, () =>
    evaluation.score(node.decode(JSON.parse(answer.output)), expected)
  ).pipe(Effect.mapError(() => new EvaluationFailed({ run, step: node.name, detail: `its score failed on labelled row ${index}` })))
  if (score >= 0 && score <= 1) return score
  return yield* new EvaluationFailed({
    run,
    step: node.name,
    detail: `its score of labelled row ${index} is ${String(score)}, not a number from 0 to 1`
  })
})

const recordOf = (settlement: Settlement, index: number): Settlement => ({
  ...settlement,
  seq: -1 - index,
  partition: -1,
  checkpoints: [],
  stops: [],
  retries: [],
  flags: [],
  finished: null
})

/** In real time: the items wait for it. */
const urgent = ({ call, judged, isHalted }: Caller): Caller => ({
  judged,
  isHalted,
  call: (request, place) => call(request, { ...place, isUrgent: true })
})

/** The step by itself, asked anew. */
const aloneIn = (graph: Graph, node: InferNode): Graph => {
  const alone: InferNode = {
    ...node,
    reads: [graph.partition.name],
    terminal: true,
    aggregated: false,
    overrides: new Map(),
    definition: { ...node.definition, reuse: false },
    dependents: new Set([node.name])
  }
  return { ...graph, rows: [alone], terminals: 1, aggregates: [], reports: [] }
}
