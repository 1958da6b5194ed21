/** Asks one model about one item, until it has a decoded answer or its tries are used up. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"

import { dataOf, render, user, type Message, type Model, type ModelMessage } from "../../dsl/index.ts"
import type { ProviderError, Reply } from "../provider/provider.ts"
import type { Provider } from "../provider/provider.ts"
import type { Variant } from "../store/ledger.ts"
import { callEventually, CallbackFailed } from "./callback.ts"
import type { InferNode } from "./graph.ts"
import type { ItemTrace } from "./item-trace.ts"
import { requestDigest, type PromptVersions } from "./prompt-version.ts"

/** At most this many retries of a call that failed or answered something else than asked (RTY-1). */
const retriesMax = 3

/** What every call of a run shares. */
export interface AskEnvironment {
  readonly provider: Provider["Service"]
  readonly services: Context.Context<never>
  readonly versions: PromptVersions
  readonly codeVersion: string
  readonly now: () => number
  readonly variants: VariantCache
}

export interface Question {
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
}

/** The item got no answer: why, for its dead letter. */
export interface Unanswered {
  readonly code: string
  readonly attempts: number
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
  const request = prepare(environment, question, prompted.success, override?.promptSource ?? question.node.promptSource)
  const model = override?.model ?? question.model
  for (let attempt = question.attempt; ; attempt++) {
    const answered = yield* askOnce(environment, question, { ...request, model, attempt }, trace)
    if ("output" in answered) return answered
    if (!answered.isRetryable || attempt - question.attempt >= retriesMax)
      return { code: answered.code, attempts: attempt } satisfies Unanswered
  }
})

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
}

const askOnce = (environment: AskEnvironment, question: Question, call: Call, trace: ItemTrace): Effect.Effect<Asked | Refused> => {
  const { model, messages, attempt } = call
  const { schema, definition } = question.node
  const startedAt = environment.now()
  const { maxTokens = null, temperature = null } = definition
  return Effect.map(Effect.result(environment.provider.call({ model, messages, attempt, schema, maxTokens, temperature })), (called) =>
    judgeReply(environment, question, { ...call, startedAt }, called, trace)
  )
}

const judgeReply = (
  environment: AskEnvironment,
  { node, step }: Question,
  { model, messages, attempt, startedAt, promptVersion, shape }: Call & { readonly startedAt: number },
  called: Result.Result<Reply, ProviderError>,
  trace: ItemTrace
): Asked | Refused => {
  const ms = environment.now() - startedAt
  const reply = called._tag === "Success" ? called.success : null
  const variant = environment.variants.of({
    step,
    model: model.name,
    modelVersion: reply?.modelVersion ?? "unknown",
    promptVersion,
    codeVersion: environment.codeVersion,
    shape
  })
  const judged = called._tag === "Success" ? decode(node, called.success) : refused(called.failure)
  trace.attempt({
    variant,
    attempt,
    outcome: "code" in judged ? judged.code : "answered",
    requestDigest: requestDigest(messages, `${model.name} ${variant.modelVersion} ${node.parameters}`),
    startedAt: new Date(startedAt),
    ms,
    inputTokens: reply?.inputTokens ?? 0,
    outputTokens: reply?.outputTokens ?? 0,
    costUsd: reply?.costUsd ?? null,
    confidence: "code" in judged ? null : judged.confidence
  })
  if ("code" in judged) {
    trace.problem({ step, attempt, code: judged.code, message: judged.message, raw: judged.raw })
    return judged
  }
  trace.answer({ step, attempt, variant, output: judged.json, raw: reply?.raw ?? null })
  return { ...judged, attempt, variant }
}

interface Refused {
  readonly code: string
  readonly message: string
  readonly raw: string | null
  readonly isRetryable: boolean
}

const refused = (error: ProviderError): Refused => ({
  code: error.code,
  message: error.message,
  raw: error.raw,
  isRetryable: error.isRetryable
})

const decode = (node: InferNode, reply: Reply): Refused | Pick<Asked, "output" | "json" | "confidence"> => {
  try {
    const output = node.decode(reply.output)
    return { output, json: JSON.stringify(node.encode(output)), confidence: confidenceOf(node, output) }
  } catch (cause) {
    const raw = reply.raw ?? jsonOrNothing(reply.output)
    if (cause instanceof CallbackFailed) return { code: "confidence-failed", message: cause.message, raw, isRetryable: false }
    const message = `The answer doesn't fit the step's schema: ${cause instanceof Error ? cause.message : String(cause)}`
    return { code: "wrong-schema", message, raw, isRetryable: true }
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
