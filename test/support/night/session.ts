/** One process's work on a night's run: the product's own parts, wired as a run wires them, on the ledger in memory. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { Model, Plan } from "../../../dsl/index.ts"
import { AccountTrouble } from "../../../runtime/execute/account-trouble.ts"
import { agreeToSweeps } from "../../../runtime/execute/agree-to-sweeps.ts"
import { Alerts } from "../../../runtime/execute/alerts.ts"
import { VariantCache } from "../../../runtime/execute/ask.ts"
import { Dispatcher } from "../../../runtime/execute/dispatcher.ts"
import type { Graph } from "../../../runtime/execute/graph.ts"
import { Halt } from "../../../runtime/execute/halt.ts"
import { holdRest, isRejected } from "../../../runtime/execute/hold-rest.ts"
import { PaidCaller, type Lane, type PaidCallerOptions } from "../../../runtime/execute/paid-caller.ts"
import { PromptVersions } from "../../../runtime/execute/prompt-version.ts"
import { RetryQueue } from "../../../runtime/execute/retry-queue.ts"
import { Reuse } from "../../../runtime/execute/reuse.ts"
import { workThrough } from "../../../runtime/execute/work.ts"
import { Breaker } from "../../../runtime/guard/breaker.ts"
import { Budget } from "../../../runtime/guard/budget.ts"
import { RateLimiter } from "../../../runtime/guard/rate.ts"
import { Ledger, type LedgerShape } from "../../../runtime/store/ledger.ts"
import { layoutOf, stagedItem, startOf } from "../ledger-run.ts"
import { unitUsd, type ScriptedProvider } from "./provider.ts"
import type { Script } from "./script.ts"

export interface SessionOptions {
  readonly script: Script
  readonly plan: Plan
  readonly graph: Graph
  readonly ledger: LedgerShape
  readonly provider: ScriptedProvider
  readonly onAlert: (kind: string) => void
  /** What plants a fault, to see that the night is judged by it. */
  readonly openBudget?: typeof Budget.make
}

/** Returns `done`, `rejected` for what a person closed, or the gate's kind that it waits at. */
export const playSession = Effect.fnUntraced(function* (options: SessionOptions) {
  const { ledger, plan, graph, script } = options
  const record = yield* begin(options)
  let drawn = (): number => 0
  const end = yield* Effect.gen(function* () {
    if (isRejected(yield* ledger.gates)) {
      yield* holdRest(ledger, graph)
      return { kind: "rejected" as const, leftUsd: 0 }
    }
    const alerts = Alerts.on(ledger, ({ kind }) => options.onAlert(kind))
    const halt = new Halt()
    const money = yield* ledger.money
    const onWarning = (spentUsd: number) =>
      Effect.asVoid(alerts.raise({ kind: "budget-80", severity: "warning", text: "80 %", detail: { spentUsd }, isLogged: false }))
    const budget = yield* (options.openBudget ?? Budget.make)({ ...money, grant: ledger.grant, onWarning })
    drawn = () => budget.snapshot().drawnUsd
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const lanes = yield* openLanes(options, now)
    const paid: Pick<
      PaidCallerOptions,
      "provider" | "budget" | "laneOf" | "prices" | "halt" | "now" | "deadline" | "tierOf" | "reuse" | "takesOnly"
    > = {
      budget,
      halt,
      now,
      provider: options.provider,
      laneOf: ({ name }) => lanes[name === "cheap" ? "cheap" : "strong"],
      prices: { boundUsd: () => script.boundUnits * unitUsd, fullUsd: () => null },
      tierOf: () => "realtime",
      deadline: null,
      takesOnly: false,
      reuse: new Reuse(null, () => undefined)
    }
    yield* workThrough({
      run: "night",
      workers: script.workers,
      slots: script.slots,
      environment: {
        graph,
        // Batches are never asked for.
        caller: new PaidCaller(paid as PaidCallerOptions),
        services: Context.empty(),
        versions: new PromptVersions(),
        codeVersion: "code",
        now,
        variants: new VariantCache(),
        retries: new RetryQueue()
      },
      source: { fromBody: (body) => JSON.parse(body), fromReference: () => Effect.die("none") },
      rounds: null,
      takesOnly: false,
      beforeSweeps: (failed) => agreeToSweeps({ ledger, alerts, run: "night", plan, isTrial: false }, failed),
      onSweep: () => undefined
    }).pipe(Effect.provideService(Ledger, ledger), Effect.provide(Dispatcher.local, { local: true }))
    const { reason } = halt
    const { reservedUsd } = budget.snapshot()
    if (reason === null) return { kind: "done" as const, leftUsd: reservedUsd }
    if (reason.kind !== "budget") return yield* Effect.die(new Error(`halted: ${reason.kind}`))
    yield* ledger.openGate("budget", {})
    return { kind: "waits" as const, leftUsd: reservedUsd }
  }).pipe(
    Effect.catchIf(
      (error) => error._tag === "WaitsAtGate",
      () => Effect.succeed({ kind: "waits" as const, leftUsd: 0 })
    ),
    Effect.onExit((exit) =>
      Effect.gen(function* () {
        yield* Effect.ignore(ledger.flush)
        const status = exit._tag === "Failure" ? "interrupted" : exit.value.kind === "waits" ? "waiting" : "done"
        yield* Effect.ignore(ledger.close(status, null, drawn()))
      })
    )
  )
  return { ...end, session: record.session }
})

const begin = Effect.fnUntraced(function* ({ ledger, plan, script }: SessionOptions) {
  const record = yield* ledger.begin(startOf(plan, { run: "night" }), { codeVersion: "code", planDigest: plan.digest, pid: 1 })
  if (record.sealed) return record
  yield* ledger.stage(
    script.fates.map((_, n) => stagedItem(n, { key: String(n) })),
    []
  )
  yield* ledger.seal(layoutOf(script.partitions))
  return record
})

const openLanes = Effect.fnUntraced(function* (
  { script: { concurrencyMax } }: SessionOptions,
  now: () => number
): Effect.fn.Return<Record<"cheap" | "strong", Lane>, never, Scope.Scope> {
  const breaker = yield* Breaker.make({})
  const model: Model = { engine: "openai", name: "strong", tier: "realtime", account: "desk" }
  const trouble: AccountTrouble = new AccountTrouble({
    run: "night",
    model,
    baseUrl: "http://127.0.0.1:9/v1",
    now,
    isPaused: () => breaker.isOpen,
    tell: () => undefined
  })
  const lane = Effect.map(RateLimiter.make({ concurrencyMax }), (rate) => ({ breaker, trouble, rate }))
  return { cheap: yield* lane, strong: yield* lane }
})
