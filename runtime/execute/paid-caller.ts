/** Calls that cost money: within the budget, the account's rate and its breaker, in real time or through a provider's batch. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"

import type { Model } from "../../dsl/index.ts"
import type { Breaker, Turn } from "../guard/breaker.ts"
import type { Budget, Reservation } from "../guard/budget.ts"
import type { Permit, RateLimiter } from "../guard/rate.ts"
import type { BatchProvider } from "../provider/batch-provider.ts"
import type { CallRequest, Provider, Reply } from "../provider/provider.ts"
import { providerError, ProviderError } from "../provider/provider-error.ts"
import type { Usage } from "../provider/usage.ts"
import type { PriorBatch } from "../store/batch-record.ts"
import type { StoreError } from "../store/store-error.ts"
import type { BatchDesk } from "./batch-desk.ts"
import type { AccountTrouble } from "./account-trouble.ts"
import { answered, parked, type Called, type Caller, type CallPlace } from "./caller.ts"
import type { Halt } from "./halt.ts"
import type { Reuse } from "./reuse.ts"

/** What guards the calls of one account's model. */
export interface Lane {
  readonly rate: RateLimiter
  readonly breaker: Breaker
  readonly trouble: AccountTrouble
}

/** `closed`: the rate stays closed beyond the deadline. `again`: nothing was sent, or what was sent is to be sent anew. */
type Answer = Result.Result<Reply, ProviderError> | "closed" | "again"

/** A call on its way. */
interface Sent {
  readonly lane: Lane
  readonly turn: Turn
  readonly reservation: Reservation
  readonly boundUsd: number
  /** The item's number of this call: from 2 in a sweep. */
  readonly attempt: number
  /** How often the call was sent in vain while the breaker was open, without counting as a try. */
  readonly outage: { failures: number }
  isSent: boolean
  isAgain: boolean
}

/** Provider batches that a call is put into while they end without getting anything done; with a provider's 24 hours for each, three days. */
const batchesMax = 3

/** Failures of one call in an outage that cost it no try. In the retry queue it's given the time that an outage may still take. */
const outageFailuresMax = 10

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
  /** Nothing is asked any more: only what provider batches answered is taken. */
  readonly takesOnly: boolean
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
    if (this.isHalted() || this.#options.takesOnly) return Effect.succeed(parked)
    return place.isUrgent !== true && this.#options.tierOf(request.model) === "batch"
      ? this.#options.desk.enqueue(request, place)
      : this.#realtime(request)
  }

  /** What the batch says of this request. Its price was held back when it was put in. */
  #fromBatch(request: CallRequest, place: CallPlace, prior: PriorBatch): Effect.Effect<Called, StoreError> {
    const { batch, isLive, body, outcome } = prior
    const { batches, desk, prices } = this.#options
    const { model } = request
    const engine = batches.engineOf(model)
    if (isLive) return Effect.succeed(parked)
    if (engine === null) return this.#ask(request, place)
    const boundUsd = prices.boundUsd(request, "batch")
    if (body === null) {
      desk.settle(batch, boundUsd, 0)
      // A batch that was cut short says nothing of the model: the request is made again as if it had never been.
      if (outcome !== "completed") return this.#askAgain(request, place, prior)
      return Effect.succeed(
        this.#failed(providerError({ reason: "missing", ...nameOf(model), detail: `batch ${batch} ended as ${outcome}` }))
      )
    }
    return Effect.flatMap(Effect.result(engine.replyOf(model, body)), (result): Effect.Effect<Called, StoreError> => {
      const paid = Result.isSuccess(result) ? result.success : result.failure
      desk.settle(batch, boundUsd, paid.costUsd ?? boundUsd)
      if (Result.isSuccess(result)) return Effect.succeed(answered(result.success, "batch", this.#saved(model, result.success)))
      if (result.failure.consequence === "wait") return this.#askAgain(request, place, prior)
      if (result.failure.consequence === "stop") return this.#stop(result.failure)
      return Effect.succeed({ ...this.#failed(result.failure), tier: "batch", savedUsd: this.#saved(model, result.failure) })
    })
  }

  /** What no batch gets to is given up in the end: put in for ever, it would keep the run from ever being done. */
  #askAgain(request: CallRequest, place: CallPlace, { earlier, outcome }: PriorBatch): Effect.Effect<Called, StoreError> {
    const batches = earlier + 1
    const { tierOf } = this.#options
    if (batches < batchesMax || tierOf(request.model) !== "batch") return this.#ask(request, place)
    const detail = `${batches} of them; the last one ended as ${outcome}`
    return Effect.succeed(this.#failed(providerError({ reason: "never-processed", ...nameOf(request.model), detail })))
  }

  /** The money is held from before the first try until one is paid for, or until it is certain that none will be. */
  #realtime(request: CallRequest): Effect.Effect<Called, StoreError> {
    const { budget, prices, halt } = this.#options
    const boundUsd = prices.boundUsd(request, "realtime")
    return Effect.catchIf(
      Effect.acquireUseRelease(
        budget.reserve(boundUsd),
        (reservation) => this.#paid(request, reservation, boundUsd),
        // What was sent is settled already.
        (reservation) => Effect.sync(() => budget.release(reservation))
      ),
      (error) => error._tag === "BudgetSpent",
      () => {
        halt.raise({ kind: "budget", neededUsd: boundUsd })
        return Effect.succeed(parked)
      }
    )
  }

  /** Sends until something other than "wait" is said: neither a rate limit nor an outage uses up a try. */
  readonly #paid = Effect.fnUntraced({ self: this }, function* (request: CallRequest, reservation: Reservation, boundUsd: number) {
    const { laneOf } = this.#options
    const { model } = request
    const lane = laneOf(model)
    const outage = { failures: 0 }
    for (;;) {
      if (this.#isInVain(lane)) return this.#left(model, lane)
      const tried = yield* this.#try(request, lane, { reservation, boundUsd, outage })
      if (tried === "closed") return this.#left(model, lane)
      if (tried === "again") continue
      if (Result.isSuccess(tried)) return answered(tried.success, "realtime", this.#saved(model, tried.success))
      const error = tried.failure
      if (error.consequence === "stop") return yield* this.#stop(error)
      return { ...this.#failed(billedAs(error, boundUsd)), savedUsd: this.#saved(model, error) }
    }
  })

  /** Left open, without a try. */
  #left({ account }: Model, { rate }: Lane): Called {
    const until = rate.waitUntil()
    if (until !== null) this.#options.halt.noteClosed(account, until)
    return parked
  }

  /** Null without one, and once it is over: a run that is late already gains nothing by giving up. */
  get #deadline(): number | null {
    const { deadline, now } = this.#options
    return deadline === null || deadline <= now() ? null : deadline
  }

  /** Whether waiting for the account is in vain: it has a fault, or stays closed beyond the deadline; then the item is left, and its place is free. */
  #isInVain({ rate }: Lane): boolean {
    return this.#options.halt.reason?.kind === "account" || cannotWait(rate.waitUntil(), this.#deadline)
  }

  /**
   * One call, under the breaker's turn and the rate's permit. Whatever ends it, and be it an interruption at any moment, both come back in
   * finalizers that nothing interrupts, and what was sent is settled there.
   */
  #try(request: CallRequest, lane: Lane, of: Pick<Sent, "reservation" | "boundUsd" | "outage">): Effect.Effect<Answer> {
    const { provider } = this.#options
    const deadline = this.#deadline
    const { rate, breaker } = lane
    const tokens = tokensOf(request)
    return Effect.acquireUseRelease(
      breaker.pass,
      (turn) => {
        const sent: Sent = { ...of, lane, turn, attempt: request.attempt, isSent: false, isAgain: false }
        const call = Effect.suspend(() => {
          sent.isSent = true
          return Effect.result(provider.call(request))
        })
        const called = Effect.acquireUseRelease(
          deadline === null ? rate.acquire(tokens) : rate.acquire(tokens, deadline),
          (permit): Effect.Effect<Answer> => {
            if (permit === null) return Effect.succeed("closed")
            // It may have opened while the rate was waited for: without another look all that wait there would go on to call.
            return breaker.isCurrent(turn) && !this.#isInVain(lane) ? call : Effect.succeed("again")
          },
          (permit, exit) => Effect.sync(() => permit !== null && this.#ended(sent, permit, exit))
        )
        return Effect.map(called, (answer): Answer => (sent.isAgain ? "again" : answer))
      },
      // A turn that was recorded already stays as it was.
      (turn) => Effect.sync(() => breaker.record(turn, "interrupted"))
    )
  }

  /** Gives the permit back, and says what the call told of its account's rate and health. What was sent is settled, unless it's sent again. */
  #ended(sent: Sent, permit: Permit, exit: Exit.Exit<Answer>): void {
    const { budget } = this.#options
    const { lane, turn, reservation, boundUsd } = sent
    const { rate, breaker, trouble } = lane
    if (!sent.isSent) return rate.cancel(permit)
    if (Exit.isFailure(exit) || typeof exit.value === "string") {
      rate.release(permit, { kind: "failed", signals: null, tokensUsed: null })
      // It may have been answered, and then it is paid for.
      return budget.abandon(reservation)
    }
    if (Result.isSuccess(exit.value)) {
      const { signals, usage, costUsd } = exit.value.success
      trouble.answered()
      rate.release(permit, { kind: "ok", signals, tokensUsed: usage.inputTokens + usage.outputTokens })
      breaker.record(turn, "ok")
      return budget.settle(reservation, costUsd ?? boundUsd)
    }
    const error = exit.value.failure
    // Before the permit is free: whoever waits for it must see that there is nothing to be had.
    if (error.consequence === "stop") this.#options.halt.raise({ kind: "account", error })
    rate.release(permit, { kind: outcomeOf(error), signals: error.signals, tokensUsed: null })
    sent.isAgain = this.#isSentAgain(error, sent)
    if (!sent.isAgain) budget.settle(reservation, error.costUsd ?? boundUsd)
  }

  /**
   * Records a failure where it counts. Whether the call is to be made again as if it had not been. Not so in a sweep: there it has failed once already, and
   * items whose every call fails would keep the breaker open, and the run from ending, for ever.
   */
  #isSentAgain(error: ProviderError, { lane: { breaker, trouble }, turn, attempt, outage }: Sent): boolean {
    if (!error.isOutage) {
      trouble.answered()
      breaker.record(turn, error.consequence === "wait" ? "other" : "ok")
      return error.consequence === "wait"
    }
    if (trouble.failed(error)) {
      this.#options.halt.raise({ kind: "account", error })
      // Not another pause: who waits there sees at once that the run has stopped.
      breaker.record(turn, "interrupted")
      return true
    }
    breaker.record(turn, "outage")
    trouble.tell(error)
    if (error.consequence === "wait") return true
    // An item that can only fail may be the only one left, and then every probe is it: after so many the failures are its own.
    return attempt === 1 && breaker.hasOpenedSince(turn) && error.costUsd === 0 && outage.failures++ < outageFailuresMax
  }

  #stop(error: ProviderError): Effect.Effect<Called> {
    this.#options.halt.raise({ kind: "account", error })
    return Effect.succeed(parked)
  }

  #failed(error: ProviderError): Extract<Called, { readonly kind: "called" }> {
    return { kind: "called", result: Result.fail(error), tier: "realtime", savedUsd: 0, isStored: false }
  }

  /** Of an answer that couldn't be used too: its cost is as much less. */
  #saved(model: Model, { usage, costUsd }: Pick<Reply, "usage" | "costUsd">): number | null {
    const full = this.#options.prices.fullUsd(model, usage)
    return full === null || costUsd === null ? null : full - costUsd
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
