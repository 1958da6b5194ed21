/** Runs the work of a job on a ledger, against a provider that a test scripts, under the test's clock. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import { compile, type Job } from "../../dsl/index.ts"
import { VariantCache } from "../../runtime/execute/ask.ts"
import { directCaller } from "../../runtime/execute/caller.ts"
import { Dispatcher } from "../../runtime/execute/dispatcher.ts"
import { makeGraph } from "../../runtime/execute/graph.ts"
import { PromptVersions } from "../../runtime/execute/prompt-version.ts"
import { RetryQueue } from "../../runtime/execute/retry-queue.ts"
import { workThrough, type FailedPass } from "../../runtime/execute/work.ts"
import type { CallRequest, Provider, Reply } from "../../runtime/provider/provider.ts"
import type { ProviderError } from "../../runtime/provider/provider-error.ts"
import { Ledger, type LedgerShape } from "../../runtime/store/ledger.ts"
import { layoutOf, stagedItem, startOf } from "./ledger-run.ts"

/** A call as the provider saw it. */
export interface SeenCall {
  /** The data of the prompt: what the item is. */
  readonly item: string
  readonly attempt: number
  /** Seconds after the start. */
  readonly at: number
  readonly maxTokens: number | null
  /** What the model was told. */
  readonly texts: ReadonlyArray<string>
}

export interface SweepRun {
  readonly job: Job
  readonly ledger: LedgerShape
  readonly items: number
  readonly answer: (call: SeenCall) => Effect.Effect<Reply, ProviderError>
  readonly beforeSweeps?: (failed: FailedPass) => Effect.Effect<void, never>
}

/** Begins, or goes on; returns all calls of this session, and its sweeps. */
export const sweepRun = Effect.fnUntraced(function* ({ job, ledger, items, answer, beforeSweeps = () => Effect.void }: SweepRun) {
  const plan = compile(job)
  const record = yield* ledger.begin(startOf(plan), { codeVersion: "code", planDigest: plan.digest, pid: 1 })
  if (!record.sealed) {
    yield* ledger.stage(
      Array.from({ length: items }, (_, n) => stagedItem(n)),
      []
    )
    yield* ledger.seal(layoutOf(2))
  }
  const calls: Array<SeenCall> = []
  const sweeps: Array<{ readonly sweep: number; readonly items: number }> = []
  const clock = yield* Clock.Clock
  const call = (request: CallRequest) =>
    Effect.suspend(() => {
      const seen = {
        item: String(request.messages.flatMap(({ data }) => data)[0]),
        attempt: request.attempt,
        at: clock.currentTimeMillisUnsafe() / 1_000,
        maxTokens: request.maxTokens,
        texts: request.messages.map(({ text }) => text)
      }
      calls.push(seen)
      return answer(seen)
    })
  const provider: Provider["Service"] = { call }
  const work = workThrough({
    run: "r1",
    workers: 2,
    slots: 4,
    environment: {
      graph: makeGraph(job),
      caller: directCaller(provider),
      services: Context.empty(),
      versions: new PromptVersions(),
      codeVersion: "code",
      now: () => clock.currentTimeMillisUnsafe(),
      variants: new VariantCache(),
      retries: new RetryQueue()
    },
    source: { fromBody: (body) => JSON.parse(body), fromReference: () => Effect.die("none") },
    rounds: null,
    takesOnly: false,
    beforeSweeps,
    onSweep: (sweep) => void sweeps.push(sweep)
  }).pipe(Effect.provideService(Ledger, ledger), Effect.provide(Dispatcher.local))
  const fiber = yield* Effect.forkChild(work)
  yield* letPass(fiber)
  yield* Fiber.join(fiber)
  return { calls, sweeps }
})

/** Moves the clock on, ten seconds at a time, until the fiber is done; at most a virtual day. */
const letPass = Effect.fnUntraced(function* (fiber: Fiber.Fiber<unknown, unknown>) {
  for (let step = 0; step < 8_640 && fiber.pollUnsafe() === undefined; step++) {
    // DuckDB's promises are of the real world: they get their turn.
    for (let turn = 0; turn < 20 && fiber.pollUnsafe() === undefined; turn++)
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    yield* TestClock.adjust("10 seconds")
  }
})
