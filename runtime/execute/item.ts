/** One item's way through the job's steps, from its last checkpoint to a disposition at every terminal step. */
import * as Effect from "effect/Effect"

import { worst } from "../store/disposition.ts"
import type { LedgerShape, PriorAnswer, RetryRecord, StopRecord } from "../store/ledger.ts"
import type { Condemned } from "../store/crash-log.ts"
import type { Disposition } from "../store/state-tables.ts"
import type { StoreError } from "../store/store-error.ts"
import { ask, type Asked, type AskEnvironment, type Feedback, type Question } from "./ask.ts"
import { callPlain } from "./callback.ts"
import { stopsAt, verdictOf } from "./condemned.ts"
import type { Graph, InferNode, JoinNode, RowNode, ValidateNode, WhenNode } from "./graph.ts"
import { ItemTrace } from "./item-trace.ts"
import { joinAnswers } from "./join-answers.ts"
import { judge, type Judgement } from "./judge.ts"
import { decoded, dispositionOf, isOnPath, rowOf, type Answered, type Outcome } from "./outcome.ts"
import type { RetryQueue } from "./retry-queue.ts"
import { AnswerUnfit } from "./run-error.ts"
import type { WorkItem } from "./work-item.ts"

export interface ItemEnvironment extends AskEnvironment {
  readonly graph: Graph
  readonly ledger: Pick<LedgerShape, "settle">
  readonly retries: RetryQueue
  /** Items that held or ended the process of an earlier session: they stop where they did that. Default: none. */
  readonly condemned?: ReadonlyMap<number, Condemned>
}

/** Takes an item through every step and settles it; never fails because of the item itself. Says whether it waits for something instead. */
export const processItem = (environment: ItemEnvironment, item: WorkItem): Effect.Effect<"finished" | "parked", StoreError | AnswerUnfit> =>
  new ItemRun(environment, item).run()

class ItemRun {
  readonly #environment: ItemEnvironment
  readonly #item: WorkItem
  readonly #trace: ItemTrace
  readonly #outcomes = new Map<string, Outcome>()
  /** Calls a rule asked for, by infer: what the model is told next. */
  readonly #again = new Map<string, { readonly attempt: number; readonly modelIndex: number; readonly feedback: Feedback }>()
  /** Of this pass; null where nothing waits for a sweep. */
  #retry: { readonly dueAt: number; readonly code: string } | null = null

  constructor(environment: ItemEnvironment, item: WorkItem) {
    this.#environment = environment
    this.#item = item
    this.#trace = new ItemTrace(item)
    this.#outcomes.set(environment.graph.partition.name, { kind: "item" })
  }

  run() {
    return Effect.gen({ self: this }, function* () {
      const { rows } = this.#environment.graph
      for (let at = 0; at < rows.length; at++) {
        const node = rows[at]
        if (node === undefined) continue
        const next = this.#step(node)
        const outcome = Effect.isEffect(next) ? yield* next : next
        if (outcome !== "again") this.#outcomes.set(node.name, outcome)
        // A rule asked for another answer: back to the infer that it looks at.
        else at = rows.findIndex(({ name }) => node.kind === "validate" && name === node.asks) - 1
      }
      const isParked = this.#outcomes.values().some(({ kind }) => kind === "parked")
      if (!isParked || !this.#trace.isEmpty) yield* this.#settle(!isParked)
      const { seq, partition } = this.#item
      if (this.#retry !== null) this.#environment.retries.add({ seq, partition, ...this.#retry })
      return isParked ? ("parked" as const) : ("finished" as const)
    })
  }

  #settle(isLast: boolean): Effect.Effect<void, StoreError> {
    const { ledger, now } = this.#environment
    return ledger.settle(this.#trace.settlement(new Date(now()), isLast))
  }

  /** Most steps of most items are decided at once: only what waits is an Effect. */
  #step(node: RowNode): Outcome | Effect.Effect<Outcome | "again", StoreError | AnswerUnfit> {
    const known = this.#outcomes.get(node.name) ?? this.#prior(node)
    if (known !== undefined) return known
    const upstream = node.reads.map((read) => this.#outcomes.get(read) ?? { kind: "item" as const })
    // A join waits for its branches even where one has stopped: what the other cost is still to be settled.
    if (upstream.some(({ kind }) => kind === "parked")) return { kind: "parked" }
    const stopped = upstream.flatMap((outcome) => (outcome.kind === "stopped" ? [outcome.disposition] : []))
    if (stopped.length > 0) return this.#passOn(node, worst(stopped) as Exclude<Disposition, "delivered">)
    const input = upstream[0] ?? { kind: "item" as const }
    const condemned = this.#environment.condemned?.get(this.#item.seq)
    if (condemned !== undefined && stopsAt(node, condemned)) return this.#condemn(node, input, condemned)
    switch (node.kind) {
      case "infer":
        return this.#infer(node, input)
      case "validate":
        return input.kind === "answer" ? this.#validate(node, input) : Effect.die(new Error(`${node.name} reads answers`))
      case "when":
        return this.#when(node, input)
      case "join":
        return this.#join(node, upstream)
    }
  }

  /** Its callback isn't called again: it would hold or end this process too. */
  #condemn(node: RowNode, input: Outcome, condemned: Condemned): Outcome {
    const { code } = condemned
    const step = condemned.step ?? node.name
    const { rule, message } = verdictOf(condemned)
    const answer = input.kind === "answer" ? input : null
    if (answer !== null && answer.digest !== null) this.#environment.caller.judged(answer.digest, null)
    const attempts = answer?.answer.attempt ?? this.#item.tried?.get(step)?.last ?? 0
    this.#trace.problem({ step, attempt: attempts, code, message, raw: null })
    return this.#stop(node, { step, kind: "dead", code, rule, attempts, answerStep: answer?.answerStep ?? null })
  }

  /** What an earlier session decided at this step; undefined if it didn't get there. */
  #prior(node: RowNode): Outcome | Effect.Effect<never, AnswerUnfit> | undefined {
    const prior = this.#item.checkpoints.get(node.name)
    // A join is made again from its branches; its checkpoint stands already.
    if (prior === undefined || (node.kind === "join" && isOnPath(prior))) return undefined
    if (!isOnPath(prior)) return this.#endedBefore(node, { kind: "stopped", disposition: dispositionOf(prior) })
    if (node.kind === "when" || node.kind === "validate")
      return this.#endedBefore(node, this.#outcomes.get(node.reads[0] ?? "") ?? { kind: "item" })
    if (node.kind !== "infer" || prior.output === null) return undefined
    const output = decoded(node, prior.output)
    if ("misfit" in output) return Effect.fail(new AnswerUnfit({ step: node.name, itemId: this.#item.itemId, detail: output.misfit }))
    const answer = this.#answerOf(output.value, prior.variant?.model ?? "unknown", prior.attempts)
    const variant = prior.variant === null ? null : this.#environment.variants.of(prior.variant)
    const modelIndex = Math.max(
      0,
      node.models.findIndex(({ step }) => step === prior.answerStep)
    )
    return this.#endedBefore(node, {
      kind: "answer",
      answer,
      json: prior.output,
      answerStep: prior.answerStep ?? node.name,
      variant,
      modelIndex,
      digest: null,
      isGiven: prior.output === this.#item.given?.answers.get(node.name)?.output,
      isPrior: true
    })
  }

  /** An answer that the item came with; null without one, or where it fits the schema no longer. */
  #given(node: InferNode): Answered | null {
    const given = this.#askedBefore(node, this.#item.given?.answers.get(node.name))
    if (given === null) return null
    const { json, attempt, variant } = given
    this.#trace.answer({ step: node.name, attempt, variant, output: json, raw: null })
    return this.#answered(given, { answerStep: node.name, modelIndex: 0, isGiven: true, isPrior: false })
  }

  #answerOf(output: unknown, model: string, attempt: number): Answered["answer"] {
    return { key: this.#item.key, item: this.#item.item, output, model, attempt }
  }

  #answered(
    { output, json, attempt, variant, digest }: Asked,
    of: Pick<Answered, "answerStep" | "modelIndex" | "isGiven" | "isPrior">
  ): Answered {
    return { kind: "answer", answer: this.#answerOf(output, variant.model, attempt), json, variant, digest, ...of }
  }

  #endedBefore(node: RowNode, outcome: Outcome): Outcome {
    if (node.terminal) this.#trace.ended(node.name, outcome.kind === "stopped" ? outcome.disposition : "delivered")
    return outcome
  }

  /** An item that was stopped above ends here with the same disposition, without being looked at. */
  #passOn(node: RowNode, disposition: Exclude<Disposition, "delivered">): Outcome {
    if (node.terminal) {
      this.#trace.checkpoint({ step: node.name, status: disposition, disposition })
      this.#trace.ended(node.name, disposition)
    }
    return { kind: "stopped", disposition }
  }

  #stop(node: RowNode, { answerStep, ...stop }: StopRecord & { readonly answerStep: string | null }): Outcome {
    const { kind, code, rule, attempts } = stop
    this.#trace.stop(stop)
    this.#trace.checkpoint({ step: node.name, status: kind, disposition: node.terminal ? kind : null, code, rule, attempts, answerStep })
    if (node.terminal) this.#trace.ended(node.name, kind)
    return { kind: "stopped", disposition: kind }
  }

  #pass(node: RowNode, status: "answered" | "passed", outcome: Outcome): Outcome {
    const needsRow = node.kind !== "when" || node.terminal || node.aggregated
    const answer = outcome.kind === "answer" ? { attempts: outcome.answer.attempt, answerStep: outcome.answerStep } : {}
    if (needsRow && !this.#item.checkpoints.has(node.name)) {
      this.#trace.checkpoint({ step: node.name, status, disposition: node.terminal ? "delivered" : null, ...answer })
    }
    if (node.terminal) this.#trace.ended(node.name, "delivered")
    return outcome
  }

  #infer(node: InferNode, input: Outcome) {
    return Effect.gen({ self: this }, function* () {
      const wanted = this.#again.get(node.name)
      // In a sweep the rule that asked for another answer sees it as any refused one.
      const given = wanted === undefined && !this.#item.queued?.has(node.name) ? this.#given(node) : null
      if (given !== null) return this.#pass(node, "answered", given)
      for (let index = wanted?.modelIndex ?? 0; index < node.models.length; index++) {
        // Only the model whose answer was refused counts on: the next one of a cascade has all its tries, and never gave that answer.
        const again = wanted?.modelIndex === index ? wanted : undefined
        const { step, model } = node.models[index] ?? { step: node.name, model: undefined }
        if (model === undefined || this.#item.checkpoints.get(step)?.status === "deferred") continue
        const before = again === undefined ? this.#item.refused?.get(step) : undefined
        const attempt = again?.attempt ?? Math.max(before?.attempt ?? 0, this.#item.tried?.get(step)?.last ?? 0) + 1
        if (again === undefined && this.#isEarly(step, attempt)) return { kind: "parked" } as const
        // What was paid so far is on its way to the disk before more is spent.
        if (!this.#trace.isEmpty) yield* this.#settle(false)
        const priorAnswer = this.#askedBefore(node, before)
        const of = { step, model, row: rowOf(input, this.#item.item), attempt, feedback: again?.feedback ?? null }
        const asked = priorAnswer ?? (yield* ask(this.#environment, this.#question(node, of), this.#trace))
        if ("parked" in asked) return { kind: "parked" } as const
        if ("code" in asked) {
          const { code, attempts, retryAfterMs } = asked
          if (retryAfterMs === null) return this.#stop(node, { step, kind: "dead", code, rule: null, attempts, answerStep: null })
          return this.#queue({ step, attempt: attempts, code, rule: null }, retryAfterMs)
        }
        const outcome = this.#answered(asked, { answerStep: step, modelIndex: index, isGiven: false, isPrior: priorAnswer !== null })
        if (node.models.length === 1) return this.#passUnlessUnsure(node, outcome, asked)
        const accepted = index === node.models.length - 1 ? true : yield* this.#accepts(node, step, outcome)
        if (accepted === null)
          return this.#stop(node, { step, kind: "dead", code: "accept-failed", rule: null, attempts: asked.attempt, answerStep: step })
        this.#trace.checkpoint({ step, status: accepted ? "answered" : "deferred", attempts: asked.attempt, answerStep: step })
        if (accepted) return this.#passUnlessUnsure(node, outcome, asked)
      }
      return yield* Effect.die(new Error(`${node.name} has no model left for item ${this.#item.itemId}`))
    })
  }

  /** An answer goes on, or waits for a person where the model is less sure of it than the step asks for (VAL-4). */
  #passUnlessUnsure(node: InferNode, outcome: Answered, { confidence, attempt, digest }: Asked): Outcome {
    const { confidenceMin } = node.definition
    if (confidenceMin === undefined || confidence === null || confidence >= confidenceMin) return this.#pass(node, "answered", outcome)
    const code = "low-confidence"
    const message = `The answer's confidence is ${confidence}, below the ${confidenceMin} that ${node.name} asks for.`
    this.#trace.problem({ step: node.name, attempt, code, message, raw: null })
    if (digest !== null) this.#environment.caller.judged(digest, null)
    return this.#stop(node, { step: node.name, kind: "review", code, rule: null, attempts: attempt, answerStep: outcome.answerStep })
  }

  #question(node: InferNode, of: Pick<Question, "step" | "model" | "row" | "attempt" | "feedback">): Question {
    const { step, attempt } = of
    const { seq, partition, label, tried, batched, queued, refused } = this.#item
    const retry = queued?.get(step)
    const said = retry?.attempt === attempt - 1 && node.definition.retryWithError === true ? retry.problem : null
    const feedback = of.feedback ?? (said === null ? null : { text: said.message, answer: said.raw })
    return {
      ...of,
      node,
      seq,
      partition,
      label,
      feedback,
      countsFrom: (refused?.get(step)?.attempt ?? 0) + 1,
      cutOff: tried?.get(step)?.cutOff ?? 0,
      batched: batched?.get(step)
    }
  }

  /** Whether the step's next call waits for a sweep that comes later than this pass. */
  #isEarly(step: string, attempt: number): boolean {
    const retry = this.#item.queued?.get(step)
    const { retries, now } = this.#environment
    // One that is in a provider's batch has been asked already.
    if (retry === undefined || this.#item.batched?.get(step)?.attempt === attempt || retries.isDue(retry.dueAt, now())) return false
    this.#waitFor(retry)
    return true
  }

  /** The call is made again in a sweep: the worker goes on with the next item. */
  #queue(failed: Pick<RetryRecord, "step" | "attempt" | "code" | "rule">, afterMs: number): Outcome {
    const dueAt = this.#environment.now() + afterMs
    this.#trace.retry({ ...failed, dueAt: new Date(dueAt) })
    this.#waitFor({ dueAt, code: failed.code })
    return { kind: "parked" }
  }

  /** Of several that an item waits for, the first one that is due. */
  #waitFor({ dueAt, code }: { readonly dueAt: number; readonly code: string }): void {
    if (this.#retry === null || dueAt < this.#retry.dueAt) this.#retry = { dueAt, code }
  }

  /** A refused answer as if it had just come; null without one, or where it fits the schema no longer. */
  #askedBefore(node: InferNode, prior: PriorAnswer | undefined): Asked | null {
    if (prior === undefined || prior.variant === null) return null
    const { attempt, output: json, variant } = prior
    const output = decoded(node, json)
    if ("misfit" in output) return null
    return { output: output.value, json, attempt, variant: this.#environment.variants.of(variant), confidence: null, digest: null }
  }

  #accepts(node: InferNode, step: string, { answer }: Answered): Effect.Effect<boolean | null> {
    return callPlain({ seq: this.#item.seq, step, callback: "accept" }, () => node.definition.accept?.(answer) ?? true).pipe(
      Effect.catch((failure) => {
        this.#trace.problem({ step, attempt: answer.attempt, code: "accept-failed", message: failure.message, raw: null })
        return Effect.succeed(null)
      })
    )
  }

  #validate(node: ValidateNode, input: Answered) {
    return Effect.gen({ self: this }, function* () {
      const { services } = this.#environment
      const isAnsweredFor = input.isGiven && this.#item.given?.waived.has(node.name) === true
      const judged = yield* judge(node, input.answer, services, isAnsweredFor, this.#item.seq)
      for (const rule of judged.flags) this.#trace.flag(node.name, rule)
      if (judged.kind === "passed") return this.#pass(node, "passed", input)
      const { rule, message } = judged
      const { attempt } = input.answer
      // What a rule refused is given to no equal request (EXE-9).
      if (input.digest !== null) this.#environment.caller.judged(input.digest, null)
      if (judged.kind === "retry" && attempt < judged.attemptsMax && node.asks !== null && !isAnsweredFor)
        return this.#askAgain(node.asks, node, input, judged)
      const code = judged.kind === "failed" ? judged.code : "rule"
      this.#trace.problem({ step: node.name, attempt, code, message, raw: null })
      return this.#stop(node, {
        step: node.name,
        kind: judged.kind === "review" ? "review" : "dead",
        code,
        rule,
        attempts: attempt,
        answerStep: input.answerStep
      })
    })
  }

  /** An answer of this pass goes to the retry queue; in the sweep the rule sees it again, and then its model does. */
  #askAgain(infer: string, validate: ValidateNode, input: Answered, judged: Extract<Judgement, { kind: "retry" }>): Outcome | "again" {
    const node = this.#environment.graph.rows.find(({ name }) => name === infer)
    if (node?.kind !== "infer") return { kind: "parked" }
    const { answer, json, modelIndex, answerStep, isPrior } = input
    const { rule, message, feedback = `it breaks the rule "${rule}"` } = judged
    this.#trace.forget(new Set([...node.dependents, ...node.models.map(({ step }) => step)]))
    if (!isPrior) {
      for (const name of node.dependents) this.#outcomes.set(name, { kind: "parked" })
      this.#trace.problem({ step: validate.name, attempt: answer.attempt, code: "rule", message, raw: null })
      return this.#queue({ step: answerStep, attempt: answer.attempt, code: "rule", rule }, 0)
    }
    for (const name of node.dependents) this.#outcomes.delete(name)
    const attempt = Math.max(answer.attempt, this.#item.tried?.get(answerStep)?.last ?? 0) + 1
    this.#again.set(infer, { attempt, modelIndex, feedback: { text: feedback, answer: json } })
    return "again"
  }

  #when(node: WhenNode, input: Outcome) {
    return Effect.gen({ self: this }, function* () {
      const passed = yield* Effect.result(
        callPlain({ seq: this.#item.seq, step: node.name, callback: "when" }, () => node.definition.test(rowOf(input, this.#item.item)))
      )
      if (passed._tag === "Failure") {
        this.#trace.problem({ step: node.name, attempt: 0, code: "when-failed", message: passed.failure.message, raw: null })
        return this.#stop(node, { step: node.name, kind: "dead", code: "when-failed", rule: null, attempts: 0, answerStep: null })
      }
      return passed.success ? this.#pass(node, "passed", input) : this.#passOn(node, "skipped")
    })
  }

  #join(node: JoinNode, upstream: ReadonlyArray<Outcome>): Outcome {
    const answers = upstream.flatMap((outcome) => (outcome.kind === "answer" ? [outcome] : []))
    const { output, json, ...versions } = joinAnswers(node.definition.branchNames, answers)
    const { codeVersion, variants } = this.#environment
    const variant = variants.of({ step: node.name, ...versions, codeVersion, shape: "[]" })
    const answer = this.#answerOf(output, versions.model, 1)
    if (!this.#item.checkpoints.has(node.name)) this.#trace.answer({ step: node.name, attempt: 1, variant, output: json, raw: null })
    return this.#pass(node, "passed", {
      kind: "answer",
      answer,
      json,
      answerStep: node.name,
      variant,
      modelIndex: 0,
      digest: null,
      isGiven: answers.every(({ isGiven }) => isGiven),
      isPrior: false
    })
  }
}
