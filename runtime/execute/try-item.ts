/** One item through a job's steps in memory: what models were asked and said, and what the rules made of it. Nothing is written. */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import type { Answer, ModelMessage, RuleDefinition, Verdict } from "../../dsl/index.ts"
import { Provider, type CallRequest, type Reply } from "../provider/provider.ts"
import type { ProviderError } from "../provider/provider-error.ts"
import type { SourceItem } from "../source/source-item.ts"
import type { CheckpointRecord, ProblemRecord, Settlement } from "../store/ledger.ts"
import type { Disposition } from "../store/state-tables.ts"
import { VariantCache } from "./ask.ts"
import { callEventually, callPlain } from "./callback.ts"
import { directCaller } from "./caller.ts"
import type { Graph, RowNode, ValidateNode } from "./graph.ts"
import { placeOf } from "./layout.ts"
import { processAtOnce } from "./process-at-once.ts"
import { PromptVersions } from "./prompt-version.ts"

export interface TriedCall {
  readonly kind: "call"
  /** The checkpointed step of the model. */
  readonly step: string
  readonly model: string
  readonly modelVersion: string
  readonly attempt: number
  readonly messages: ReadonlyArray<ModelMessage>
  readonly promptVersion: string
  readonly requestDigest: string
  /** `answered`, or the code of what went wrong. */
  readonly outcome: string
  /** What the model gave, before the schema saw it; null when it gave nothing. */
  readonly raw: string | null
  /** The decoded answer as the step keeps it; null where it didn't fit. */
  readonly output: unknown
  readonly confidence: number | null
  readonly ms: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costUsd: number | null
  /** What went wrong; null for an answer. */
  readonly problem: string | null
}

export interface TriedRule {
  readonly kind: "rule"
  readonly step: string
  readonly rule: string
  readonly passed: boolean
  readonly orElse: Verdict["verdict"]
  /** What a rule that threw said; null for one that answered. */
  readonly problem: string | null
}

export interface Tried {
  readonly label: string | null
  /** In the order in which they happened. */
  readonly events: ReadonlyArray<TriedCall | TriedRule>
  /** How the item left each step, those it didn't reach left out. */
  readonly steps: ReadonlyArray<Pick<CheckpointRecord, "step" | "status" | "disposition" | "code" | "rule">>
  /** What went wrong outside of calls and rules. */
  readonly problems: ReadonlyArray<Pick<ProblemRecord, "step" | "code" | "message">>
  /** The worst over all terminal steps; null when the item was taken only part of the way. */
  readonly disposition: Disposition | null
}

export interface TryOptions {
  readonly graph: Graph
  readonly services: Context.Context<never>
  /** Answers every model of the job. */
  readonly provider: Provider["Service"]
  readonly codeVersion: string
  readonly item: SourceItem
}

/** Fails where the partition step can't place the item: a run would reject it. */
export const tryItem = Effect.fn("Try.item")(function* ({ graph, services, provider: asked, codeVersion, item }: TryOptions) {
  const { label } = yield* callPlain({ seq: null, step: graph.partition.name, callback: "partition" }, () =>
    placeOf(graph.partition.definition, item.item, item.bytes)
  )
  const seen: Array<SeenCall | TriedRule> = []
  const clock = yield* Clock.Clock
  const provider = watched(asked, seen)
  const environment = {
    graph: { ...graph, rows: graph.rows.map((node) => (node.kind === "validate" ? watchedRules(node, services, seen) : node)) },
    caller: directCaller(provider),
    services,
    versions: new PromptVersions(),
    codeVersion,
    now: () => clock.currentTimeMillisUnsafe(),
    variants: new VariantCache()
  }
  const settled = yield* processAtOnce(environment, { itemId: "", key: item.key, label: label === "" ? null : label, item: item.item })
  return triedOf(graph, label === "" ? null : label, seen, settled)
})

/** The steps that lead to one of them, itself included: an item needs to go no further to be seen there. */
export const stepsUpTo = (graph: Graph, name: string): Graph => {
  const needed = new Set<string>()
  const need = (step: string): void => {
    needed.add(step)
    for (const node of graph.rows) if (node.name === step) node.reads.forEach(need)
  }
  need(graph.rows.find((node) => stepNames(node).includes(name))?.name ?? name)
  return { ...graph, rows: graph.rows.filter((node) => needed.has(node.name)) }
}

/** What a step answers to: its own name, and those of its models in a cascade. */
export const stepNames = (node: RowNode): ReadonlyArray<string> =>
  node.kind === "infer" ? [...new Set([node.name, ...node.models.map(({ step }) => step)])] : [node.name]

interface SeenCall {
  readonly kind: "seen"
  readonly request: CallRequest
  reply: Reply | null
  error: ProviderError | null
}

const watched = (inner: Provider["Service"], seen: Array<SeenCall | TriedRule>): Provider["Service"] =>
  Provider.of({
    call: (request) =>
      Effect.suspend(() => {
        const call: SeenCall = { kind: "seen", request, reply: null, error: null }
        seen.push(call)
        return inner.call(request).pipe(
          Effect.tap((reply) => Effect.sync(() => void (call.reply = reply))),
          Effect.tapError((error) => Effect.sync(() => void (call.error = error)))
        )
      })
  })

/** The same rules, noting what each says. Those behind the one that stops the item are never asked. */
const watchedRules = (node: ValidateNode, services: Context.Context<never>, seen: Array<SeenCall | TriedRule>): ValidateNode => {
  const watch = ({ name, pass, orElse }: RuleDefinition): RuleDefinition => {
    const note = (passed: boolean, problem: string | null) =>
      Effect.sync(() => void seen.push({ kind: "rule", step: node.name, rule: name, passed, orElse: orElse.verdict, problem }))
    return {
      name,
      orElse,
      pass: (answer) =>
        callEventually({ seq: null, step: node.name, callback: `rule "${name}"` }, services, () =>
          pass(answer as Answer<unknown, unknown>)
        ).pipe(
          Effect.tap((passed) => note(passed, null)),
          Effect.tapError(({ detail }) => note(false, detail))
        )
    }
  }
  return { ...node, definition: { ...node.definition, rules: node.definition.rules.map(watch) } }
}

const triedOf = (
  graph: Graph,
  label: string | null,
  seen: ReadonlyArray<SeenCall | TriedRule>,
  settled: ReadonlyArray<Settlement>
): Tried => {
  const attempts = settled.flatMap((settlement) => settlement.attempts)
  const answers = settled.flatMap((settlement) => settlement.answers)
  const problems = settled.flatMap((settlement) => settlement.problems)
  const told = new Set<ProblemRecord>()
  let next = 0
  const events = seen.map((event): TriedCall | TriedRule => {
    if (event.kind === "rule") return event
    // Every call makes one attempt, in the same order.
    const made = attempts[next++]
    if (made === undefined) throw new Error("A call left no attempt")
    const { variant, attempt, outcome, requestDigest, confidence, ms, inputTokens, outputTokens, costUsd } = made
    const isOfCall = (record: { readonly step: string; readonly attempt: number }): boolean =>
      record.step === variant.step && record.attempt === attempt
    const answer = answers.find(isOfCall)
    const problem = problems.find((record) => isOfCall(record) && record.code === outcome)
    if (problem !== undefined) told.add(problem)
    return {
      kind: "call",
      step: variant.step,
      model: variant.model,
      modelVersion: variant.modelVersion,
      attempt,
      messages: event.request.messages,
      promptVersion: variant.promptVersion,
      requestDigest,
      outcome,
      raw: rawOf(event),
      output: answer === undefined ? null : JSON.parse(answer.output),
      confidence,
      ms,
      inputTokens,
      outputTokens,
      costUsd,
      problem: problem?.message ?? null
    }
  })
  const isWhole = graph.rows.filter(({ terminal }) => terminal).length === graph.terminals
  return {
    label,
    events,
    steps: settled.flatMap(({ checkpoints }) =>
      checkpoints.map(({ step, status, disposition, code, rule }) => ({ step, status, disposition, code, rule }))
    ),
    problems: problems
      .filter((problem) => !told.has(problem) && !byRules.has(problem.code))
      .map(({ step, code, message }) => ({ step, code, message })),
    disposition: isWhole ? (settled.at(-1)?.finished ?? null) : null
  }
}

/** Codes of what the rules' own events tell. */
const byRules = new Set(["rule", "rule-failed"])

const rawOf = ({ reply, error }: SeenCall): string | null => {
  if (reply === null) return error?.raw ?? null
  return reply.raw ?? JSON.stringify(reply.output) ?? String(reply.output)
}
