/** Provider batches for tests: accounts of a fake provider, requests, spool files, and what came back of them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import type { Model } from "../../dsl/index.ts"
import type { Accounts } from "../../runtime/provider/accounts.ts"
import { batchEngines } from "../../runtime/provider/batch-engines.ts"
import type { BatchEngine, BatchIntent, BatchState } from "../../runtime/provider/batch-provider.ts"
import { openHttp } from "../../runtime/provider/http.ts"
import type { CallRequest, Reply } from "../../runtime/provider/provider.ts"
import type { ProviderError } from "../../runtime/provider/provider-error.ts"

const Label = Schema.Struct({ label: Schema.Literals(["spam", "list", "personal"]), confidence: Schema.Finite })

/** One mail to be labelled. */
export const requestOf = (model: Model, text: string, output: CallRequest["output"] = Label): CallRequest => ({
  model,
  messages: [
    { role: "system", text: "Name the label.", data: [] },
    { role: "user", text, data: [text] }
  ],
  attempt: 1,
  output,
  maxTokens: 64,
  temperature: null
})

/** One account. `keys` are what a look for the key finds, one look after the other. */
export const accountOf = (options: {
  readonly baseUrl: string
  readonly keys?: ReadonlyArray<string>
  readonly timeoutMs?: number
}): Accounts["Service"] => {
  const { baseUrl, keys = ["key-1"], timeoutMs = 20_000 } = options
  let looks = 0
  return {
    limitsOf: () => ({ requestsPerMinute: null, tokensPerMinute: null, concurrencyMax: undefined }),
    of: ({ account, engine }) => ({ name: account, engine, baseUrl, timeoutMs, isTimeoutOwn: true, key: Redacted.make(keys[looks] ?? "") }),
    reread: () => Effect.sync(() => ++looks < keys.length)
  }
}

export const engineOf = (model: Model, accounts: Accounts["Service"]): Effect.Effect<BatchEngine, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { engineOf } = yield* batchEngines({ agent: yield* openHttp, accounts })
    const engine = engineOf(model)
    if (engine === null) throw new Error(`${model.engine} has no batch tier`)
    return engine
  })

export interface Spooled {
  readonly file: string
  readonly ids: ReadonlyArray<string>
  readonly intent: BatchIntent
}

/** A spool file as a run writes it: a line a text, each with a line break behind it. */
export const spool = (
  engine: BatchEngine,
  model: Model,
  texts: ReadonlyArray<string>,
  token = "run-1.1"
): Effect.Effect<Spooled, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "spool-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ),
    (folder) => {
      const file = join(folder, "1.jsonl")
      const ids = texts.map((_, index) => `${token.replaceAll(".", "-")}-${index}`)
      writeFileSync(file, texts.map((text, index) => `${engine.lineOf(requestOf(model, text), ids[index] ?? "")}\n`).join(""))
      const intent = { token, requests: texts.length, intendedAt: new Date(), probeId: ids.at(-1) ?? "", inputFile: null }
      return { file, ids, intent }
    }
  )

/** Uploads, where there is something to upload, and creates. */
export const start = (engine: BatchEngine, model: Model, { file, intent }: Spooled) =>
  Effect.gen(function* () {
    const inputFile = yield* engine.upload(file, intent.token)
    return yield* engine.create({ file, inputFile, intent: { ...intent, inputFile }, model })
  })

/** Asks until it has ended. */
export const untilEnded = (engine: BatchEngine, { providerBatch }: BatchState): Effect.Effect<BatchState, ProviderError> =>
  Effect.gen(function* () {
    for (let looks = 0; looks < 2_000; looks++) {
      const state = yield* engine.poll(providerBatch)
      if (state.status === "ended") return state
      yield* Effect.sleep(5)
    }
    throw new Error(`batch ${providerBatch} doesn't end`)
  })

/** By custom id: what each line said. */
export const judged = (
  engine: BatchEngine,
  model: Model,
  state: BatchState
): Effect.Effect<ReadonlyMap<string, Result.Result<Reply, ProviderError>>, ProviderError> =>
  Effect.gen(function* () {
    const groups = yield* Stream.runCollect(engine.results(state))
    const said = new Map<string, Result.Result<Reply, ProviderError>>()
    for (const { customId, body } of groups.flat()) {
      if (said.has(customId)) throw new Error(`two lines for ${customId}`)
      said.set(customId, yield* Effect.result(engine.replyOf(model, body)))
    }
    return said
  })

/** The whole way of some texts. */
export const batchOf = (engine: BatchEngine, model: Model, texts: ReadonlyArray<string>, token?: string) =>
  Effect.gen(function* () {
    const spooled = yield* spool(engine, model, texts, token)
    const created = yield* start(engine, model, spooled)
    const state = yield* untilEnded(engine, created)
    return { ...spooled, state, said: yield* judged(engine, model, state) }
  })

/** `ok`, or the reason of a failure: of each line. */
export const reasonsIn = (said: ReadonlyMap<string, Result.Result<Reply, ProviderError>>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const line of said.values()) {
    const reason = Result.isSuccess(line) ? "ok" : line.failure.reason
    counts[reason] = (counts[reason] ?? 0) + 1
  }
  return counts
}

/** Between two looks for a lost batch no time passes, but `meanwhile` happens. */
export const settling =
  (meanwhile: Effect.Effect<unknown, unknown> = Effect.void) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Clock.Clock, (clock) =>
      Effect.provideService(effect, Clock.Clock, {
        ...clock,
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        sleep: (duration) => (Duration.toMillis(duration) === 5_000 ? Effect.asVoid(Effect.orDie(meanwhile)) : clock.sleep(duration))
      })
    )
