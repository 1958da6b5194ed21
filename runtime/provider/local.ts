/** Embedded models: functions of the author's own, called in the run's process. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { modelVersion, type Eventually, type Model } from "../../dsl/index.ts"
import { CallbackTimeout, modelTimeoutDefaultMs } from "./callback-timeout.ts"
import { Provider, type CallRequest, type Reply } from "./provider.ts"
import { providerError, type ProviderError } from "./provider-error.ts"
import { noUsage } from "./usage.ts"

/** Calls embedded models. `services` are the job's: a model's Effect may need them. */
export const localProvider = (services: Context.Context<never>): Layer.Layer<Provider> =>
  Layer.sync(Provider, () => {
    const versions = new Map<Model, string>()
    const versionOf = (model: Model): string => {
      const known = versions.get(model) ?? modelVersion(model) ?? "unknown"
      versions.set(model, known)
      return known
    }
    return Provider.of({
      // Called when the effect is made, not when it runs: a function that answers at once then costs no fiber's turn.
      call: (request) => {
        const { model, messages, attempt } = request
        if (model.answer === undefined)
          return Effect.die(new Error(`Model ${model.name} of engine ${model.engine} reached the embedded engine`))
        const answered = attemptAnswer(
          () => model.answer?.({ messages, data: messages.flatMap(({ data }) => data), attempt }),
          request,
          services
        )
        return Effect.flatMapEager(answered, (output) => replyOf(request, output, versionOf(model)))
      }
    })
  })

const attemptAnswer = (
  answer: () => Eventually<unknown>,
  { model }: CallRequest,
  services: Context.Context<never>
): Effect.Effect<unknown, ProviderError> => {
  const failed = (cause: unknown): ProviderError =>
    providerError({ reason: "model-failed", model: model.name, account: model.account, detail: textOf(cause) })
  try {
    const eventual: unknown = answer()
    // Effects of an author may need any of the job's services, which the compiler proved the job to have.
    if (Effect.isEffect(eventual))
      return inTime(model, Effect.mapError(Effect.provideContext(eventual as Effect.Effect<unknown, unknown>, services), failed))
    if (isPromise(eventual)) return inTime(model, Effect.tryPromise({ try: () => eventual, catch: failed }))
    return Effect.succeed(eventual)
  } catch (cause) {
    return Effect.fail(failed(cause))
  }
}

/** A function that waits for ever is given up on: the next try would wait as long. */
const inTime = ({ name, account }: Model, eventual: Effect.Effect<unknown, ProviderError>): Effect.Effect<unknown, ProviderError> =>
  Effect.flatMap(CallbackTimeout, (declaredMs) => {
    const timeoutMs = declaredMs ?? modelTimeoutDefaultMs
    return Effect.timeoutOrElse(eventual, {
      duration: timeoutMs,
      orElse: () => Effect.fail(providerError({ reason: "hung", model: name, account, detail: `no answer within ${timeoutMs / 1_000} s` }))
    })
  })

const replyOf = ({ model }: CallRequest, output: unknown, version: string): Effect.Effect<Reply, ProviderError> => {
  const reply = { modelVersion: version, usage: noUsage, costUsd: 0, repaired: false, signals: null }
  if (typeof output !== "string") return Effect.succeed({ ...reply, output, raw: null })
  try {
    return Effect.succeed({ ...reply, output: JSON.parse(output), raw: output })
  } catch (cause) {
    return Effect.fail(providerError({ reason: "not-json", model: model.name, account: model.account, detail: textOf(cause), raw: output }))
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
