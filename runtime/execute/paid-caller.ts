/** Calls that cost money: within the budget, the account's rate and its breaker, in real time or through a provider's batch. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import type { Model } from "../../dsl/index.ts"
import type { Breaker } from "../guard/breaker.ts"
import type { Budget, Reservation } from "../guard/budget.ts"
import type { RateLimiter } from "../guard/rate.ts"
import type { BatchProvider } from "../provider/batch-provider.ts"
import type { CallRequest, Provider, Reply } from "../provider/provider.ts"
import { providerError, ProviderError } from "../provider/provider-error.ts"
import type { Usage } from "../provider/usage.ts"
import type { PriorBatch } from "../store/batch-record.ts"
import type { StoreError } from "../store/store-error.ts"
import type { BatchDesk } from "./batch-desk.ts"
import { answered, parked, type Called, type Caller, type CallPlace } from "./caller.ts"
import type { Halt } from "./halt.ts"
import type { Reuse } from "./reuse.ts"

/** What guards the calls of one account's model. */
export interface Lane {
  readonly rate: RateLimiter
  readonly breaker: Breaker
}

/** Prices of one job's models, resolved before anything is spent. */
export interface Prices {
  /** The most that a call may cost. */
  readonly boundUsd: (request: CallRequest, tier: "realtime" | "batch") => number
  /** What a call would have cost in real time without a cache; null where no price is known. */
  readonly fullUsd: (model: Model, usage: Usage) => number | null
}

export interface PaidCallerOptions {
  readonly provider: Provider["Service"]
  readonly batches: BatchProvider["Service"]
  readonly budget: Budget<StoreError>
  readonly laneOf: (model: Model) => Lane
  readonly prices: Prices
  readonly desk: BatchDesk
  readonly reuse: Reuse
  /** How a model is asked now: `auto` has been decided. */
  readonly tierOf: (model: Model) => "realtime" | "batch"
  readonly halt: Halt
  readonly now: () => number
  /** Epoch ms by which the run must have ended; null without a deadline. */
  readonly deadline: number | null
}

export class PaidCaller implements Caller {
  readonly #options: PaidCallerOptions

  constructor(options: PaidCallerOptions) {
    this.#options = options
  }

  readonly isHalted = (): boolean => this.#options.halt.reason !== null

  readonly judged = (digest: string, reply: Reply | null): void => this.#options.reuse.judged(digest, reply)

  readonly call = (request: CallRequest, place: CallPlace): Effect.Effect<Called, StoreError> => {
    const { model } = request
    if (model.engine === "local") return this.#direct(request)
    if (place.batched !== undefined) return this.#fromBatch(request, place, place.batched)
    if (!place.mayReuse) return this.#ask(request, place)
    return this.#options.reuse.orAsk(place, () => this.#ask(request, place))
  }

  #direct(request: CallRequest): Effect.Effect<Called> {
    return Effect.map(Effect.result(this.#options.provider.call(request)), (result) => ({
      kind: "called",
      result,
      tier: "realtime",
      savedUsd: 0,
      isStored: false
    }))
  }

  #ask(request: CallRequest, place: CallPlace): Effect.Effect<Called, StoreError> {
    if (this.isHalted()) return Effect.succeed(parked)
    return this.#options.tierOf(request.model) === "batch" ? this.#options.desk.enqueue(request, place) : this.#realtime(request)
  }

  /** What the batch says of this request. Its price was held back when it was put in. */
  #fromBatch(request: CallRequest, place: CallPlace, { batch, isLive, body, outcome }: PriorBatch): Effect.Effect<Called, StoreError> {
    const { batches, desk, prices } = this.#options
    const { model } = request
    const engine = batches.engineOf(model)
    if (isLive) return Effect.succeed(parked)
    if (engine === null) return this.#ask(request, place)
    const boundUsd = prices.boundUsd(request, "batch")
    if (body === null) {
      desk.settle(batch, boundUsd, 0)
      // A batch that was cut short says nothing of the model: the request is made again as if it had never been.
      if (outcome !== "completed") return this.#ask(request, place)
      return Effect.succeed(
        this.#failed(providerError({ reason: "missing", ...nameOf(model), detail: `batch ${batch} ended as ${outcome}` }))
      )
    }
    return Effect.flatMap(Effect.result(engine.replyOf(model, body)), (result): Effect.Effect<Called, StoreError> => {
      const paid = Result.isSuccess(result) ? result.success : result.failure
      desk.settle(batch, boundUsd, paid.costUsd ?? boundUsd)
      if (Result.isSuccess(result)) return Effect.succeed(answered(result.success, "batch", this.#saved(model, result.success)))
      if (result.failure.consequence === "wait") return this.#ask(request, place)
      if (result.failure.consequence === "stop") return this.#stop(result.failure)
      return Effect.succeed({ ...this.#failed(result.failure), tier: "batch" })
    })
  }

  #realtime(request: CallRequest): Effect.Effect<Called, StoreError> {
    const { budget, prices, halt } = this.#options
    const boundUsd = prices.boundUsd(request, "realtime")
    return budget.reserve(boundUsd).pipe(
      Effect.matchEffect({
        onFailure: (error): Effect.Effect<Called, StoreError> => {
          if (error._tag !== "BudgetSpent") return Effect.fail(error)
          halt.raise({ kind: "budget", neededUsd: boundUsd })
          return Effect.succeed(parked)
        },
        onSuccess: (reservation) => this.#paid(request, reservation, boundUsd)
      })
    )
  }

  /** Sends until something other than "wait" is said: neither a rate limit nor an outage uses up a try. */
  readonly #paid = Effect.fnUntraced({ self: this }, function* (request: CallRequest, reservation: Reservation, boundUsd: number) {
    const { budget, laneOf, halt, deadline } = this.#options
    const { model } = request
    const { rate, breaker } = laneOf(model)
    const tokens = tokensOf(request)
    for (;;) {
      if (halt.reason?.kind === "account" || cannotWait(rate.waitUntil(), deadline)) {
        budget.release(reservation)
        return parked
      }
      const turn = yield* Effect.onInterrupt(breaker.pass, () => Effect.sync(() => budget.release(reservation)))
      const permit = yield* Effect.onInterrupt(deadline === null ? rate.acquire(tokens) : rate.acquire(tokens, deadline), () =>
        Effect.sync(() => {
          breaker.record(turn, "interrupted")
          budget.release(reservation)
        })
      )
      if (permit === null) {
        breaker.record(turn, "interrupted")
        budget.release(reservation)
        return parked
      }
      // It may have opened while the rate was waited for: without another look all that wait there would go on to call.
      if (!breaker.isCurrent(turn)) {
        rate.cancel(permit)
        continue
      }
      const result = yield* Effect.onInterrupt(Effect.result(this.#options.provider.call(request)), () =>
        Effect.sync(() => {
          rate.release(permit, { kind: "failed", signals: null, tokensUsed: null })
          breaker.record(turn, "interrupted")
          // It may have been answered, and then it is paid for.
          budget.abandon(reservation)
        })
      )
      if (Result.isSuccess(result)) {
        const { signals, usage, costUsd } = result.success
        rate.release(permit, { kind: "ok", signals, tokensUsed: usage.inputTokens + usage.outputTokens })
        breaker.record(turn, "ok")
        budget.settle(reservation, costUsd ?? boundUsd)
        return answered(result.success, "realtime", this.#saved(model, result.success))
      }
      const error = result.failure
      rate.release(permit, { kind: outcomeOf(error), signals: error.signals, tokensUsed: null })
      breaker.record(turn, error.isOutage ? "outage" : error.consequence === "wait" ? "other" : "ok")
      if (error.consequence === "wait" || (error.isOutage && breaker.hasOpenedSince(turn) && error.costUsd === 0)) continue
      const billed = billedAs(error, boundUsd)
      budget.settle(reservation, billed.costUsd ?? boundUsd)
      return error.consequence === "stop" ? yield* this.#stop(error) : this.#failed(billed)
    }
  })

  #stop(error: ProviderError): Effect.Effect<Called> {
    this.#options.halt.raise({ kind: "account", error })
    return Effect.succeed(parked)
  }

  #failed(error: ProviderError): Extract<Called, { readonly kind: "called" }> {
    return { kind: "called", result: Result.fail(error), tier: "realtime", savedUsd: 0, isStored: false }
  }

  #saved(model: Model, { usage, costUsd }: Reply): number | null {
    const full = this.#options.prices.fullUsd(model, usage)
    return full === null || costUsd === null ? null : Math.max(0, full - costUsd)
  }
}

const nameOf = ({ name, account }: Model) => ({ model: name, account })

/** A request whose answer never came may have been worked on, and then it is on the invoice: it counts at its bound. */
const billedAs = (error: ProviderError, boundUsd: number): ProviderError =>
  error.costUsd === null ? new ProviderError({ ...error, costUsd: boundUsd }) : error

const outcomeOf = (error: ProviderError): "rate-limited" | "overloaded" | "failed" =>
  error.reason === "rate-limited" || error.reason === "overloaded" ? error.reason : "failed"

/** Roughly: what the rate of tokens is charged with until the answer says what it was. */
const tokensOf = ({ messages, maxTokens }: CallRequest): number =>
  Math.ceil(messages.reduce((sum, { text }) => sum + text.length, 0) / 4) + (maxTokens ?? 0)

/** Whether the account stays closed beyond the deadline: then the item is left, and its place is free. */
const cannotWait = (until: number | null, deadline: number | null): boolean => until !== null && deadline !== null && until > deadline
