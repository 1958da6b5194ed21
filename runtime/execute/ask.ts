/** Asks one model about one item, until it has a decoded answer or its tries are used up. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"

import { dataOf, render, user, type Message, type Model, type ModelMessage } from "../../dsl/index.ts"
import type { Reply } from "../provider/provider.ts"
import type { ProviderError } from "../provider/provider-error.ts"
import type { PriorBatch } from "../store/batch-record.ts"
import { cutOffOutcomes, type Variant } from "../store/ledger.ts"
import type { StoreError } from "../store/store-error.ts"
import { callEventually, CallbackFailed } from "./callback.ts"
import type { Called, Caller } from "./caller.ts"
import type { InferNode } from "./graph.ts"
import type { ItemTrace } from "./item-trace.ts"
import { requestDigest, type PromptVersions } from "./prompt-version.ts"

/** Retries of a call that failed or answered something else than asked (RTY-1). */
const retriesDefault = 3
/** A cut-off answer is asked for again with twice the tokens, and at most with this many times those the author gave (case 26). */
const roomMax = 4
const spacingMs = 1_000
const spacingMaxMs = 30_000

/** What every call of a run shares. */
export interface AskEnvironment {
  readonly caller: Caller
  readonly services: Context.Context<never>
  readonly versions: PromptVersions
  readonly codeVersion: string
  readonly now: () => number
  readonly variants: VariantCache
}

export interface Question {
  readonly seq: number
  readonly partition: number
  readonly node: InferNode
  /** The checkpointed step of the model. */
  readonly step: string
  readonly model: Model
  /** The label of the item's partition, which may have a prompt and model of its own. */
  readonly label: string | null
  /** What the prompt is given. */
  readonly row: unknown
  /** The number of this call, from 1. */
  readonly attempt: number
  /** The call that tries are counted from: 1, or the one that a rule asked for. */
  readonly countsFrom: number
  /** How many durable calls met their bound of tokens. */
  readonly cutOff: number
  /** What a provider batch has, or had, of the item at this step. */
  readonly batched: PriorBatch | undefined
  /** Told to the model after a rule refused its last answer. */
  readonly feedback: { readonly text: string; readonly answer: string } | null
}

/** An answer that fits the schema. */
export interface Asked {
  readonly output: unknown
  /** JSON text of the output. */
  readonly json: string
  readonly attempt: number
  readonly variant: Variant
  readonly confidence: number | null
  /** Of the request whose equals may share the answer; null after a try that isn't the item's own first. */
  readonly digest: string | null
}

/** The item got no answer: why, for its dead letter. */
export interface Unanswered {
  readonly code: string
  readonly attempts: number
}

/** No answer in this pass: to the item's first try, or to a later one. */
export interface Parked {
  readonly parked: "first" | "later"
}

/** One object per combination, so that a commit finds its number without comparing texts. */
export class VariantCache {
  readonly #known = new Map<string, Variant>()
  of(variant: Variant): Variant {
    const key = `${variant.step} ${variant.model} ${variant.modelVersion} ${variant.promptVersion} ${variant.codeVersion}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    this.#known.set(key, variant)
    return variant
  }
}

/** Asks, and writes every attempt and problem to the trace. */
export const ask = Effect.fnUntraced(function* (environment: AskEnvironment, question: Question, trace: ItemTrace) {
  const override = question.label === null ? undefined : question.node.overrides.get(question.label)
  const prompt = override?.prompt ?? question.node.definition.prompt
  const prompted = yield* Effect.result(callEventually("prompt", environment.services, () => prompt(question.row)))
  if (prompted._tag === "Failure") {
    trace.problem({ step: question.step, attempt: question.attempt, code: "prompt-failed", message: prompted.failure.message, raw: null })
    return { code: "prompt-failed", attempts: question.attempt - 1 } satisfies Unanswered
  }
  const prepared = prepare(environment, question, prompted.success, override?.promptSource ?? question.node.promptSource)
  const model = override?.model ?? question.model
  const { retriesMax = retriesDefault, maxTokens = null } = question.node.definition
  const digestWith = (tokens: number | null): string =>
    requestDigest(prepared.messages, `${environment.versions.ofModel(model)} ${question.node.parameters} ${tokens}`)
  const plain = digestWith(maxTokens)
  const first = question.attempt === 1 && question.feedback === null ? plain : null
  let room = Math.min(2 ** question.cutOff, roomMax)
  const tries = Effect.gen(function* () {
    for (let attempt = question.attempt; ; attempt++) {
      const tokens = maxTokens === null ? null : maxTokens * room
      const call = { ...prepared, model, attempt, maxTokens: tokens, digest: tokens === maxTokens ? plain : digestWith(tokens), first }
      const answered = yield* askOnce(environment, question, call, trace)
      if ("output" in answered || "parked" in answered) return answered
      // Asked again with the same room it would be cut off again.
      const isInVain = answered.needsRoom && (maxTokens === null || room === roomMax)
      if (!answered.isRetryable || isInVain || attempt - question.countsFrom >= retriesMax)
        return { code: answered.code, attempts: attempt } satisfies Unanswered
      if (answered.needsRoom) room *= 2
      if (answered.isOutage) yield* Effect.sleep(yield* spacing(attempt - question.countsFrom))
    }
  })
  // An equal request that waits for this one's answer learns that there is none, whatever ended it.
  return yield* first === null ? tries : Effect.onExit(tries, (exit) => Effect.sync(() => tellUnanswered(environment, first, exit)))
})

const tellUnanswered = ({ caller }: AskEnvironment, digest: string, exit: Exit.Exit<Asked | Unanswered | Parked, StoreError>): void => {
  const isAnswered = Exit.isSuccess(exit) && "output" in exit.value
  // One that waits for its batch will be judged then.
  const isWaiting = Exit.isSuccess(exit) && "parked" in exit.value && exit.value.parked === "first"
  if (!isAnswered && !isWaiting) caller.judged(digest, null)
}

/** Full jitter over an exponential: 1, 2, 4 … seconds at most, and never above half a minute. */
const spacing = (tries: number): Effect.Effect<number> =>
  Effect.map(Random.next, (share) => share * Math.min(spacingMaxMs, spacingMs * 2 ** Math.max(0, tries)))

interface Prepared {
  readonly messages: ReadonlyArray<ModelMessage>
  readonly promptVersion: string
  readonly shape: string
}

const prepare = ({ versions }: AskEnvironment, { feedback }: Question, prompt: ReadonlyArray<Message>, source: string): Prepared => {
  const { version, shape } = versions.of(prompt, source)
  const messages =
    feedback === null ? prompt : [...prompt, user`Your last answer was ${feedback.answer}. It was not accepted: ${feedback.text}`]
  return {
    messages: messages.map((message) => ({ role: message.role, text: render(message), data: dataOf(message) })),
    promptVersion: version,
    shape
  }
}

interface Call extends Prepared {
  readonly model: Model
  readonly attempt: number
  readonly maxTokens: number | null
  readonly digest: string
  /** The digest of the item's first try, which equal requests go by; null in a session that goes on behind it. */
  readonly first: string | null
}

const askOnce = (
  environment: AskEnvironment,
  question: Question,
  call: Call,
  trace: ItemTrace
): Effect.Effect<Asked | Refused | Parked, StoreError> => {
  const { model, messages, attempt, maxTokens, digest } = call
  const { node, step, batched, feedback } = question
  const { output, temperature = null } = node.definition
  const startedAt = environment.now()
  const place = {
    seq: question.seq,
    partition: question.partition,
    step,
    digest,
    mayReuse: node.definition.reuse && attempt === 1 && feedback === null,
    batched: batched?.attempt === attempt ? batched : undefined
  }
  return Effect.map(environment.caller.call({ model, messages, attempt, output, maxTokens, temperature }, place), (called) =>
    called.kind === "parked"
      ? { parked: attempt === 1 ? "first" : "later" }
      : judgeReply(environment, question, { ...call, startedAt }, called, trace)
  )
}

const judgeReply = (
  environment: AskEnvironment,
  { node, step }: Question,
  { model, attempt, startedAt, promptVersion, shape, digest, first }: Call & { readonly startedAt: number },
  { result: called, tier, savedUsd, isStored }: Extract<Called, { readonly kind: "called" }>,
  trace: ItemTrace
): Asked | Refused => {
  const paid = called._tag === "Success" ? called.success : called.failure
  const variant = environment.variants.of({
    step,
    model: model.name,
    modelVersion: paid.modelVersion ?? "unknown",
    promptVersion,
    codeVersion: environment.codeVersion,
    shape
  })
  const judged = called._tag === "Success" ? decode(node, isStored ? null : model, called.success) : refused(called.failure)
  const { usage } = paid
  trace.attempt({
    variant,
    attempt,
    outcome: "code" in judged ? judged.code : "answered",
    requestDigest: digest,
    startedAt: new Date(startedAt),
    ms: environment.now() - startedAt,
    tier,
    inputTokens: usage.inputTokens,
    cacheReadTokens: usage.cacheReadTokens,
    cacheWriteTokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    outputTokens: usage.outputTokens,
    reasoningTokens: usage.reasoningTokens,
    costUsd: paid.costUsd,
    savedUsd,
    confidence: "code" in judged ? null : judged.confidence
  })
  if ("code" in judged) {
    trace.problem({ step, attempt, code: judged.code, message: judged.message, raw: judged.raw })
    return judged
  }
  const reply = called._tag === "Success" ? called.success : null
  if (reply?.repaired === true) trace.flag(step, "repaired")
  trace.answer({ step, attempt, variant, output: judged.json, raw: reply?.raw ?? null })
  if (first !== null && reply !== null) environment.caller.judged(first, reply)
  return { ...judged, attempt, variant, digest: first }
}

interface Refused {
  readonly code: string
  readonly message: string
  readonly raw: string | null
  readonly isRetryable: boolean
  /** The provider was in trouble: the next try waits. */
  readonly isOutage: boolean
  /** The next try needs more tokens, or it ends like this one. */
  readonly needsRoom: boolean
}

const refused = (error: ProviderError): Refused => ({
  code: error.reason,
  message: error.message,
  raw: error.raw,
  isRetryable: error.consequence === "retry" || error.consequence === "wait",
  isOutage: error.isOutage || error.consequence === "wait",
  needsRoom: cutOffOutcomes.includes(error.reason)
})

const misfit = { isOutage: false, needsRoom: false }

/** `model` is null for an answer that stands as the schema stores it. */
const decode = (node: InferNode, model: Model | null, reply: Reply): Refused | Pick<Asked, "output" | "json" | "confidence"> => {
  try {
    const output = model === null ? node.decode(reply.output) : node.decodeReply(model.engine, reply.output)
    return { output, json: JSON.stringify(node.encode(output)), confidence: confidenceOf(node, output) }
  } catch (cause) {
    const raw = reply.raw ?? jsonOrNothing(reply.output)
    if (cause instanceof CallbackFailed) return { code: "confidence-failed", message: cause.message, raw, isRetryable: false, ...misfit }
    const message = `The answer doesn't fit the step's schema: ${cause instanceof Error ? cause.message : String(cause)}`
    return { code: "wrong-schema", message, raw, isRetryable: true, ...misfit }
  }
}

const confidenceOf = ({ definition }: InferNode, output: unknown): number | null => {
  if (definition.confidence === undefined) return null
  try {
    const confidence: unknown = definition.confidence(output)
    if (typeof confidence === "number" && confidence >= 0 && confidence <= 1) return confidence
    throw new Error(`it returned ${String(confidence)}, not a number from 0 to 1`)
  } catch (cause) {
    throw new CallbackFailed({ callback: "confidence", detail: cause instanceof Error ? cause.message : String(cause) })
  }
}

const jsonOrNothing = (value: unknown): string | null => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
