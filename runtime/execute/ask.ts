/** Asks one model about one item, once: what may be tried again goes to the retry queue, never around in a circle here. */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"

import { dataOf, render, user, type Message, type Model, type ModelMessage } from "../../dsl/index.ts"
import type { Reply } from "../provider/provider.ts"
import type { ProviderError } from "../provider/provider-error.ts"
import type { PriorBatch } from "../store/batch-record.ts"
import { cutOffOutcomes, type Variant } from "../store/ledger.ts"
import type { FlightJournal } from "../store/flight-journal.ts"
import type { StoreError } from "../store/store-error.ts"
import { callEventually, CallbackFailed } from "./callback.ts"
import type { Called, Caller } from "./caller.ts"
import { isRemote, type InferNode } from "./graph.ts"
import type { ItemTrace } from "./item-trace.ts"
import { requestDigest, type PromptVersions } from "./prompt-version.ts"
import { onThread } from "./thread-note.ts"

/** Retries of a call that failed or answered something else than asked (RTY-1). */
const retriesDefault = 3
/** A cut-off answer is asked for again with twice the tokens, and at most with this many times those the author gave (case 26). */
const roomMax = 4
/** Of retries after a provider's failure, unless the step says otherwise: three of them outlast an overload of three minutes (case 45). */
const spacingDefaultMs = 30_000
const spacingMaxMs = 900_000

/** What every call of a run shares. */
export interface AskEnvironment {
  readonly caller: Caller
  readonly services: Context.Context<never>
  readonly versions: PromptVersions
  readonly codeVersion: string
  readonly now: () => number
  readonly variants: VariantCache
  /** Told which items are in job code, so that one that ends the process is found. Default: nobody is. */
  readonly flights?: FlightJournal
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
  /** Told to the model after its last answer was refused. */
  readonly feedback: Feedback | null
}

/** What was wrong with an answer, for the model that gave it. */
export interface Feedback {
  readonly text: string
  readonly answer: string
}

/** An answer that fits the schema. */
export interface Asked {
  readonly output: unknown
  /** JSON text of the output. */
  readonly json: string
  readonly attempt: number
  readonly variant: Variant
  readonly confidence: number | null
  /** Of the request whose equals may share the answer; null after a try with feedback. */
  readonly digest: string | null
}

/** The item got no answer: why, for its dead letter or its place in the retry queue. */
export interface Unanswered {
  readonly code: string
  readonly attempts: number
  /** Ms from now before which it isn't asked again; null where its tries are used up, or another would be in vain. */
  readonly retryAfterMs: number | null
}

/** No answer in this pass: to a request that equal ones wait for, or to another. */
export interface Parked {
  readonly parked: "shared" | "own"
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

/** Asks once, and writes the attempt and its problem to the trace. */
export const ask = Effect.fnUntraced(function* (environment: AskEnvironment, question: Question, trace: ItemTrace) {
  const { node, step, label, row, attempt, feedback } = question
  const override = label === null ? undefined : node.overrides.get(label)
  const prompt = override?.prompt ?? node.definition.prompt
  const prompted = yield* Effect.result(
    callEventually({ seq: question.seq, step, callback: "prompt" }, environment.services, () => prompt(row))
  )
  if (prompted._tag === "Failure") {
    const code = prompted.failure.codeOr("prompt-failed")
    trace.problem({ step, attempt, code, message: prompted.failure.message, raw: null })
    return { code, attempts: attempt - 1, retryAfterMs: null } satisfies Unanswered
  }
  const prepared = prepare(environment, question, prompted.success, override?.promptSource ?? node.promptSource)
  const model = override?.model ?? question.model
  const room = Math.min(2 ** question.cutOff, roomMax)
  const maxTokens = node.definition.maxTokens === undefined ? null : node.definition.maxTokens * room
  const digest = requestDigest(prepared.messages, `${environment.versions.ofModel(model)} ${node.parameters} ${maxTokens}`)
  // Only a good answer is shared, so one that another item got meanwhile will do for a retry too.
  const shared = feedback === null ? digest : null
  const tried = Effect.flatMapEager(
    askOnce(environment, question, { ...prepared, model, attempt, maxTokens, digest, shared }, trace),
    (answered): Effect.Effect<Asked | Unanswered | Parked> => {
      if ("output" in answered || "parked" in answered) return Effect.succeed(answered)
      const { code, isRetryable, needsRoom, isOutage } = answered
      // Asked again with the same room it would be cut off again.
      const isInVain = needsRoom && (maxTokens === null || room === roomMax)
      const tries = attempt - question.countsFrom
      if (!isRetryable || isInVain || tries >= (node.definition.retriesMax ?? retriesDefault))
        return Effect.succeed({ code, attempts: attempt, retryAfterMs: null })
      const after = isOutage ? spacing(node, tries) : Effect.succeed(0)
      return Effect.map(after, (retryAfterMs) => ({ code, attempts: attempt, retryAfterMs }))
    }
  )
  // An equal request that waits for this one's answer learns that there is none, whatever ended it.
  return yield* shared === null ? tried : Effect.onExit(tried, (exit) => Effect.sync(() => tellUnanswered(environment, shared, exit)))
})

const tellUnanswered = ({ caller }: AskEnvironment, digest: string, exit: Exit.Exit<Asked | Unanswered | Parked, StoreError>): void => {
  const isAnswered = Exit.isSuccess(exit) && "output" in exit.value
  // One that waits for its batch will be judged then.
  const isWaiting = Exit.isSuccess(exit) && "parked" in exit.value && exit.value.parked === "shared"
  if (!isAnswered && !isWaiting) caller.judged(digest, null)
}

/**
 * Ms before the next try after a provider's failure: exponential, with full jitter on top. By default at least half a minute, then one, then two: with
 * half as much again on average.
 */
const spacing = ({ definition }: InferNode, tries: number): Effect.Effect<number> => {
  const first = definition.retrySpacing === undefined ? spacingDefaultMs : Duration.toMillis(definition.retrySpacing)
  const least = Math.min(spacingMaxMs, first * 2 ** Math.max(0, tries))
  return Effect.map(Random.next, (share) => Math.round(least * (1 + share)))
}

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
  /** The digest that equal requests go by; null where nobody else may have the answer. */
  readonly shared: string | null
}

const askOnce = (
  environment: AskEnvironment,
  question: Question,
  call: Call,
  trace: ItemTrace
): Effect.Effect<Asked | Refused | Parked, StoreError> => {
  const { model, messages, attempt, maxTokens, digest, shared } = call
  const { node, step, batched } = question
  const { output, temperature = null } = node.definition
  const startedAt = environment.now()
  const place = {
    seq: question.seq,
    partition: question.partition,
    step,
    digest,
    mayReuse: node.definition.reuse && shared !== null,
    batched: batched?.attempt === attempt ? batched : undefined
  }
  const request = { model, messages, attempt, output, maxTokens, temperature }
  // An embedded model is called when its effect is made.
  const calling = onThread({ seq: question.seq, step, callback: `model ${model.name}` }, () => environment.caller.call(request, place))
  const { flights } = environment
  const isAway = flights !== undefined && isRemote(model)
  if (isAway) flights.leave(question.seq)
  return Effect.map(calling, (called) => {
    if (called.kind === "parked") return { parked: shared === null ? "own" : "shared" }
    if (isAway) flights.enter(question.seq)
    return judgeReply(environment, question, { ...call, startedAt }, called, trace)
  })
}

const judgeReply = (
  environment: AskEnvironment,
  question: Question,
  { model, attempt, startedAt, promptVersion, shape, digest, shared }: Call & { readonly startedAt: number },
  { result: called, tier, savedUsd, isStored }: Extract<Called, { readonly kind: "called" }>,
  trace: ItemTrace
): Asked | Refused => {
  const { step } = question
  const paid = called._tag === "Success" ? called.success : called.failure
  const variant = environment.variants.of({
    step,
    model: model.name,
    modelVersion: paid.modelVersion ?? "unknown",
    promptVersion,
    codeVersion: environment.codeVersion,
    shape
  })
  const judged = called._tag === "Success" ? decode(question, isStored ? null : model, called.success) : refused(called.failure)
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
  if (shared !== null && reply !== null) environment.caller.judged(shared, reply)
  return { ...judged, attempt, variant, digest: shared }
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
const decode = (question: Question, model: Model | null, reply: Reply): Refused | Pick<Asked, "output" | "json" | "confidence"> => {
  const { node, seq, step } = question
  try {
    const output = onThread({ seq, step, callback: "output schema" }, () =>
      model === null ? node.decode(reply.output) : node.decodeReply(model.engine, reply.output)
    )
    return { output, json: JSON.stringify(node.encode(output)), confidence: confidenceOf(question, output) }
  } catch (cause) {
    const raw = reply.raw ?? jsonOrNothing(reply.output)
    if (cause instanceof CallbackFailed) return { code: "confidence-failed", message: cause.message, raw, isRetryable: false, ...misfit }
    const message = `The answer doesn't fit the step's schema: ${cause instanceof Error ? cause.message : String(cause)}`
    return { code: "wrong-schema", message, raw, isRetryable: true, ...misfit }
  }
}

const confidenceOf = ({ node: { definition }, step, seq }: Question, output: unknown): number | null => {
  if (definition.confidence === undefined) return null
  try {
    const { confidence: read } = definition
    const confidence: unknown = onThread({ seq, step, callback: "confidence" }, () => read(output))
    if (typeof confidence === "number" && confidence >= 0 && confidence <= 1) return confidence
    throw new Error(`it returned ${String(confidence)}, not a number from 0 to 1`)
  } catch (cause) {
    throw new CallbackFailed({ callback: "confidence", detail: cause instanceof Error ? cause.message : String(cause), isHung: false })
  }
}

const jsonOrNothing = (value: unknown): string | null => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
