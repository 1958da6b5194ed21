/** Everything that a run with remote models needs beside its workers: money, rates, batches, reuse. One scope owns it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { Model, Plan } from "../../dsl/index.ts"
import { Breaker } from "../guard/breaker.ts"
import { Budget } from "../guard/budget.ts"
import { RateLimiter } from "../guard/rate.ts"
import type { Accounts } from "../provider/accounts.ts"
import type { BatchProvider } from "../provider/batch-provider.ts"
import { boundUsd, fullUsd, inputTokensBound } from "../provider/price.ts"
import type { CallRequest, Provider } from "../provider/provider.ts"
import { structuredOutput } from "../provider/structured-output.ts"
import type { Usage } from "../provider/usage.ts"
import { dollars } from "../report/text.ts"
import type { BatchRecord } from "../store/batch-record.ts"
import { openEarlierAnswers } from "../store/earlier-answers.ts"
import type { DuckLedger } from "../store/ledger-duckdb.ts"
import { countItems } from "../store/disposition.ts"
import type { StoreError } from "../store/store-error.ts"
import { clearSpool } from "../store/spool.ts"
import type { RunFolder, StateFolder } from "../store/state-folder.ts"
import { AccountTrouble } from "./account-trouble.ts"
import type { Alerts } from "./alerts.ts"
import { BatchDesk } from "./batch-desk.ts"
import { BatchFlow, type EndedBatch } from "./batch-flow.ts"
import { CustomIds } from "./custom-id.ts"
import { isRemote, modelsOf, type Graph } from "./graph.ts"
import { Halt } from "./halt.ts"
import { openOutageNotice } from "./outage-notice.ts"
import { PaidCaller, type Lane } from "./paid-caller.ts"
import { Reuse } from "./reuse.ts"
import { AccountClosed, AccountFault } from "./run-error.ts"
import { autoTier, fallbackMs } from "./tier.ts"
import { stopAtGate } from "./wait-at-gate.ts"
import type { Rounds } from "./work.ts"

export interface PaidRunOptions {
  readonly run: string
  readonly graph: Graph
  readonly plan: Plan
  readonly ledger: DuckLedger
  readonly alerts: Alerts["Service"]
  readonly folder: StateFolder
  readonly runFolder: RunFolder
  readonly provider: Provider["Service"]
  readonly batches: BatchProvider["Service"]
  readonly accounts: Accounts["Service"]
  /** Epoch ms by which the run must have ended; null without a deadline. */
  readonly deadline: number | null
  /** Ms that all items would take in real time: what a batch must leave room for. */
  readonly realtimeMs: number
  /** Of a linked run. */
  readonly origin: string | null
  /** Batches are cancelled, what they answered by then is taken, and nothing further is asked. */
  readonly isCancelling: boolean
}

export const openPaidRun = Effect.fn("Run.openPaid")(function* (options: PaidRunOptions) {
  const { run, graph, ledger, folder, runFolder, batches, deadline } = options
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const halt = new Halt()
  const budget = yield* openBudget(options)
  const steps = graph.rows.flatMap((node) => (node.kind === "infer" ? node.models : []))
  const ids = new CustomIds(run, [...new Set(steps.map(({ step }) => step))])
  const tierOf = tiersOf(options, now)
  const cancelAt = (model: Model): number | null =>
    options.isCancelling ? 0 : model.tier !== "auto" || deadline === null ? null : deadline - fallbackMs(options.realtimeMs)
  const whyCancelled = options.isCancelling
    ? "is cancelled"
    : "would miss the deadline: it is cancelled, and the rest is asked in real time"
  const flow = yield* BatchFlow.make({ run, ledger, ids, halt, now, cancelAt, whyCancelled })
  const bound = (request: CallRequest, tier: "realtime" | "batch"): number =>
    boundUsd(request.model, inputTokensBound(textsOf(request), request.model.engine), request.maxTokens ?? 0, tier, new Date(now())) ?? 0
  const known = yield* ledger.batches.all
  // Nothing that an earlier session spooled will be sent; what this one leaves is as void.
  yield* clearSpool(runFolder)
  yield* Effect.addFinalizer(() => Effect.ignore(clearSpool(runFolder)))
  const desk = new BatchDesk({
    folder: runFolder,
    ledger,
    budget,
    batches,
    ids,
    now,
    send: flow.send,
    boundUsd: (request) => bound(request, "batch"),
    lastBatch: known.reduce((last, { batch }) => Math.max(last, batch), 0)
  })
  const remoteSteps = steps.filter(({ model }) => isRemote(model)).map(({ step }) => step)
  const earlier = yield* openEarlierAnswers({ folder, runFolder, job: options.plan.job, steps: remoteSteps, origin: options.origin })
  const reuse = new Reuse(earlier, desk.leave)
  const { laneOf, isHeldBack } = yield* openLanes(options, halt)
  const prices = {
    boundUsd: bound,
    fullUsd: (model: Model, usage: Usage) => fullUsd(model, usage, new Date(now()))
  }
  const caller = new PaidCaller({ ...options, budget, laneOf, prices, desk, reuse, tierOf, halt, now, takesOnly: options.isCancelling })
  yield* goOn(options, known, { desk, flow, budget })
  const parts = { options, halt, budget, desk, flow, reuse }
  const slots = Math.ceil(
    modelsOf(graph).reduce((most, model) => Math.max(most, options.accounts.limitsOf(model).concurrencyMax ?? 256), 0) * 1.25
  )
  return { caller, budget, flow, slots, rounds: roundsOf(parts), ended: endedOf(parts), isHeldBack }
})
export type PaidRun = Effect.Success<ReturnType<typeof openPaidRun>>

const openBudget = Effect.fnUntraced(function* ({ ledger, alerts, run }: PaidRunOptions) {
  const money = yield* ledger.money
  const { envelopeUsd } = money
  return yield* Budget.make({
    ...money,
    grant: ledger.grant,
    onWarning: (spentUsd: number) =>
      Effect.asVoid(
        alerts.raise({
          kind: "budget-80",
          severity: "warning",
          text: `Run ${run} has spent ${dollars(spentUsd)} of its ${dollars(envelopeUsd)}. When the rest is spent too, it waits at a gate for your approval.`,
          detail: { spentUsd, envelopeUsd }
        })
      )
  })
})

/** All of a request that the provider counts as input. */
const textsOf = ({ messages, output, model }: CallRequest): ReadonlyArray<string> => [
  ...messages.map(({ text }) => text),
  structuredOutput(output, model.engine).text
]

interface Lanes {
  readonly laneOf: (model: Model) => Lane
  /** Whether calls wait for a provider, which more workers would only join. */
  readonly isHeldBack: () => boolean
}

/** One rate a model and account, one breaker an account. */
const openLanes = Effect.fnUntraced(function* (options: PaidRunOptions, halt: Halt): Effect.fn.Return<Lanes, never, Scope.Scope> {
  const { graph, accounts } = options
  const lanes = new Map<string, Lane>()
  const guards = new Map<string, Pick<Lane, "breaker" | "trouble">>()
  const keyOf = ({ engine, account, name }: Model): string => `${engine} ${account} ${name}`
  for (const model of modelsOf(graph)) {
    if (!isRemote(model) || lanes.has(keyOf(model))) continue
    const account = `${model.engine} ${model.account}`
    const guard = guards.get(account) ?? (yield* openGuard(options, model, halt))
    guards.set(account, guard)
    const { requestsPerMinute, tokensPerMinute, concurrencyMax } = accounts.limitsOf(model)
    lanes.set(keyOf(model), { ...guard, rate: yield* RateLimiter.make({ requestsPerMinute, tokensPerMinute, concurrencyMax }) })
  }
  const laneOf = (model: Model): Lane => {
    const lane = lanes.get(keyOf(model))
    if (lane === undefined) throw new Error(`Model ${model.name} is not one of the job's`)
    return lane
  }
  return { laneOf, isHeldBack: () => [...lanes.values()].some(({ breaker, rate }) => breaker.isOpen || rate.snapshot().waiting > 0) }
})

/** An account's breaker, and who tells of its trouble: when it begins, now and then while it lasts, and when it is over. */
const openGuard = Effect.fnUntraced(function* ({ run, plan, accounts, alerts, ledger }: PaidRunOptions, model: Model, halt: Halt) {
  const clock = yield* Clock.Clock
  const { account, engine } = model
  const notice = yield* openOutageNotice({
    run,
    job: plan.job,
    account,
    engine,
    alerts,
    ledger,
    withinMs: plan.schedule?.withinMs ?? null
  })
  const tell = Effect.runForkWith(yield* Effect.context<never>())
  let isPaused = false
  const breaker = yield* Breaker.make({
    onChange: (state, since) => {
      // Between "open" and "probing" nothing is new: a change that came too fast to be told may have been either.
      const isNews = isPaused !== (state !== "closed")
      isPaused = state !== "closed"
      if (!isNews || halt.reason?.kind === "account") return Effect.void
      return Effect.andThen(
        Effect.logWarning(
          isPaused
            ? `Run ${run} pauses: account "${account}" at ${engine} answers with failures. It is probed, and the run goes on by itself.`
            : `Run ${run}: account "${account}" at ${engine} is answering again.`
        ),
        notice(isPaused, since)
      )
    }
  })
  const trouble: AccountTrouble = new AccountTrouble({
    run,
    model,
    baseUrl: accounts.of(model).baseUrl,
    now: () => clock.currentTimeMillisUnsafe(),
    isPaused: () => breaker.isOpen,
    tell: (text) => void tell(Effect.logWarning(text))
  })
  return { breaker, trouble }
})

const tiersOf =
  (options: PaidRunOptions, now: () => number) =>
  (model: Model): "realtime" | "batch" => {
    if (model.tier !== "auto") return model.tier
    if (options.batches.engineOf(model) === null) return "realtime"
    return autoTier(options.deadline === null ? null : options.deadline - now(), options.realtimeMs)
  }

interface Parts {
  readonly options: PaidRunOptions
  readonly halt: Halt
  readonly budget: Budget<StoreError>
  readonly desk: BatchDesk
  readonly flow: BatchFlow
  readonly reuse: Reuse
}

/** Takes up the batches that an earlier session left. */
const goOn = Effect.fnUntraced(function* (
  { graph, batches, run }: PaidRunOptions,
  known: ReadonlyArray<BatchRecord>,
  { desk, flow, budget }: Pick<Parts, "desk" | "flow" | "budget">
) {
  for (const record of known) {
    if (record.status === "settled" || record.status === "dropped") continue
    const model = modelsOf(graph).find(
      ({ engine, account, name }) => engine === record.engine && account === record.account && name === record.model
    )
    const engine = model === undefined ? null : batches.engineOf(model)
    if (model === undefined || engine === null)
      return yield* Effect.die(
        new Error(`Run ${run} has a batch for ${record.model} of account ${record.account}, which its job no longer names`)
      )
    desk.adopt(record.batch, budget.adoptBatch(record.reservedUsd))
    yield* flow.goOn(record, model, engine)
  }
})

const roundsOf = ({ options, halt, budget, desk, flow, reuse }: Parts): Rounds => {
  const { ledger } = options
  let through: ReadonlyArray<EndedBatch> = []
  const next = Effect.gen(function* () {
    yield* desk.sealAll
    if (halt.reason?.kind === "account") return null
    if (flow.open === 0) {
      if (!desk.hasLeft) {
        halt.raiseClosed()
        return null
      }
      if (desk.neededUsd > 0) halt.raise({ kind: "budget", neededUsd: desk.neededUsd })
      if (halt.reason !== null) return null
      // Nobody's batch will answer those that waited for an equal request: they ask themselves.
      reuse.forgetBatched()
      through = []
      return desk.takeLeft()
    }
    through = (yield* flow.ended).filter(({ batch }) => batch > 0)
    for (const { batch, kind } of through) if (kind === "dropped") desk.close(batch)
    const spans = yield* Effect.forEach(through, ({ batch }) => ledger.batches.spans(batch))
    const left = desk.takeLeft()
    // Money that found no room may find it now: whoever was turned away in real time comes again.
    if (halt.reason?.kind === "budget") {
      halt.liftBudget()
      return "all" as const
    }
    return [...spans.flat(), ...left]
  })
  const passed = Effect.suspend(() =>
    Effect.forEach(
      through.filter(({ kind }) => kind === "ingested"),
      ({ batch }) => settleBatch(options, desk, batch),
      { discard: true }
    )
  )
  void budget
  return { next, passed }
}

/** All that a batch answered is durable: its replies go, here and at the provider. */
const settleBatch = Effect.fnUntraced(function* ({ ledger, graph, batches, run }: PaidRunOptions, desk: BatchDesk, batch: number) {
  const record = (yield* ledger.batches.all).find((each) => each.batch === batch)
  const model = modelsOf(graph).find(({ engine, name }) => engine === record?.engine && name === record.model)
  const engine = model === undefined ? null : batches.engineOf(model)
  desk.close(batch)
  if (record === undefined || engine === null) return
  const removed = yield* Effect.result(engine.remove({ providerBatch: record.providerBatch ?? "", files: record.files }))
  if (removed._tag === "Failure")
    yield* Effect.logWarning(
      `The files of batch ${record.providerBatch} of run ${run} are still at the provider: ${removed.failure.message}. Delete them there: ${record.files.join(", ")}.`
    )
  yield* ledger.batches.settle(batch, removed._tag === "Success" ? new Date(yield* Clock.currentTimeMillis) : null)
})

/** After the passes: fails where a person must act. */
const endedOf = ({ options, halt, budget }: Parts) =>
  Effect.gen(function* () {
    const { ledger, run } = options
    const { reason } = halt
    if (reason === null) return
    const tally = yield* ledger.tally
    const openItems = tally.manifest - countItems(tally.dispositions)
    if (reason.kind === "account")
      return yield* new AccountFault({ run, account: reason.error.account, detail: reason.error.message, openItems })
    if (reason.kind === "closed")
      return yield* new AccountClosed({ run, account: reason.account, until: new Date(reason.until).toISOString(), openItems })
    const { envelopeUsd, spentUsd, uncertainUsd } = budget.snapshot()
    const detail = { envelopeUsd, spentUsd, uncertainUsd, neededUsd: reason.neededUsd, items: tally.manifest, openItems }
    return yield* stopAtGate({ ledger, run, kind: "budget", detail })
  })
