/** A provider batch's way from a durable intent to durable results; it goes on where a crash left it, and nothing is created twice (EXE-5). */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { rmSync } from "node:fs"

import type { Model } from "../../dsl/index.ts"
import type { BatchEngine, BatchIntent, BatchLine, BatchState } from "../provider/batch-provider.ts"
import type { ProviderError } from "../provider/provider-error.ts"
import type { BatchMember, BatchRecord } from "../store/batch-record.ts"
import type { LedgerShape } from "../store/ledger.ts"
import type { StoreError } from "../store/store-error.ts"
import type { SpooledBatch } from "./batch-desk.ts"
import type { CustomIds } from "./custom-id.ts"
import type { Halt } from "./halt.ts"
import { BatchRefused } from "./run-error.ts"

/** Files being uploaded or created at once; the rest waits on disk. */
const sendingMax = 4
/** Calls that only ask or hand over are tried this often while the provider is in trouble, then the run stops, resumable. */
const triesMax = 8
const pollFirstMs = 1_000
const pollMaxMs = 60_000
const slotFirstMs = 10_000
const slotMaxMs = 600_000
const repliesAtOnce = 500

/** What came of a batch: its items can be looked at again. `dropped`: nothing was created, its requests are made anew. */
export interface EndedBatch {
  readonly batch: number
  readonly kind: "ingested" | "dropped"
}

export interface BatchFlowOptions {
  readonly run: string
  readonly ledger: Pick<LedgerShape, "batches">
  readonly ids: CustomIds
  readonly halt: Halt
  readonly now: () => number
  /** Epoch ms at which a batch of the model is given up so that the rest can be asked in real time; null: never. */
  readonly cancelAt: (model: Model) => number | null
  /** Why it is given up then, as the end of a sentence about the batch. */
  readonly whyCancelled: string
}

type Failure = StoreError | BatchRefused
type Events = Queue.Queue<EndedBatch | { readonly failure: Failure }>

/** A batch on its way, with who carries it. */
interface Carried {
  readonly record: BatchRecord
  readonly model: Model
  readonly engine: BatchEngine
  /** The spool file; null in a session that didn't write it. */
  readonly file: string | null
}

export class BatchFlow {
  readonly #options: BatchFlowOptions
  readonly #scope: Scope.Scope
  readonly #sending = Semaphore.makeUnsafe(sendingMax)
  /** One open creation an account: what an unclear one made is known before the next. */
  readonly #creating = new Map<string, Semaphore.Semaphore>()
  readonly #events: Events
  readonly #live = new Map<number, { readonly providerBatch: string; readonly engine: BatchEngine; readonly record: BatchRecord }>()
  /** Batches that aren't through yet. */
  open = 0

  static readonly make = (options: BatchFlowOptions): Effect.Effect<BatchFlow, never, Scope.Scope> =>
    Effect.gen(function* () {
      const events = yield* Effect.acquireRelease(Queue.unbounded<EndedBatch | { readonly failure: Failure }>(), Queue.shutdown)
      return new BatchFlow(options, events, yield* Effect.scope)
    })

  private constructor(options: BatchFlowOptions, events: Events, scope: Scope.Scope) {
    this.#options = options
    this.#events = events
    this.#scope = scope
  }

  /** Takes over a spooled batch; returns once fewer than four others are being handed over. */
  readonly send = (spooled: SpooledBatch): Effect.Effect<void> => {
    this.open++
    return Effect.andThen(
      this.#sending.take(1),
      this.#carry(Effect.ensuring(this.#handOver(spooled), this.#sending.release(1)), spooled, (state) => this.#follow(spooled, state))
    )
  }

  /** Goes on with a batch of an earlier session, wherever it got to. */
  readonly goOn = (record: BatchRecord, model: Model, engine: BatchEngine): Effect.Effect<void> => {
    this.open++
    const carried = { record, model, engine, file: null }
    return this.#carry(this.#recall(carried), carried, (state) => this.#follow(carried, state))
  }

  /** Waits until a batch is through, and takes all that are. */
  readonly ended: Effect.Effect<ReadonlyArray<EndedBatch>, Failure> = Effect.flatMap(
    Effect.suspend(() => Queue.takeAll(this.#events)),
    (events) => {
      this.open -= events.length
      const failed = events.find((event) => "failure" in event)
      return failed !== undefined && "failure" in failed
        ? Effect.fail(failed.failure)
        : Effect.succeed(events.filter((event) => "kind" in event))
    }
  )

  /** Asks providers to stop what is running; what was done by then is billed, and its results are taken by a resume. */
  readonly cancelAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.#live.values()], ({ engine, providerBatch }) => Effect.ignore(engine.cancel(providerBatch)), { discard: true })
  )

  #carry(
    first: Effect.Effect<BatchState | "dropped" | "ingested" | "halted", Failure>,
    { record }: Carried,
    follow: (state: BatchState) => Effect.Effect<EndedBatch["kind"] | "halted", Failure>
  ): Effect.Effect<void> {
    const { batch } = record
    const whole = Effect.flatMap(first, (state) => (typeof state === "string" ? Effect.succeed(state) : follow(state)))
    const told = Effect.matchEffect(whole, {
      onFailure: (failure) => Queue.offer(this.#events, { failure }),
      // Halted: it stays where it is, for the next session; whoever waits is woken all the same.
      onSuccess: (kind) => Queue.offer(this.#events, kind === "halted" ? { batch: 0, kind: "dropped" } : { batch, kind })
    })
    return Effect.asVoid(
      Effect.forkIn(
        Effect.ensuring(
          told,
          Effect.sync(() => void this.#live.delete(batch))
        ),
        this.#scope
      )
    )
  }

  /** Where an earlier session left it. */
  readonly #recall = Effect.fnUntraced({ self: this }, function* (carried: Carried): Effect.fn.Return<
    BatchState | "dropped" | "ingested" | "halted",
    Failure
  > {
    const { record, engine } = carried
    if (record.status === "ingested") return "ingested"
    if (record.providerBatch !== null) return yield* this.#poll(carried, record.providerBatch)
    const found = yield* this.#find(carried)
    if (found === "halted") return "halted"
    if (found !== null) return yield* this.#created(carried, found)
    // Nothing was created, so nothing was paid: what was uploaded is removed with it.
    yield* Effect.ignore(engine.remove({ providerBatch: "", files: record.files }))
    return yield* this.#drop(record)
  })

  readonly #handOver = Effect.fnUntraced({ self: this }, function* (spooled: SpooledBatch): Effect.fn.Return<
    BatchState | "dropped" | "halted",
    Failure
  > {
    const uploaded = yield* this.#upload(spooled)
    return uploaded === "halted" ? yield* this.#drop(spooled.record) : yield* this.#create({ ...spooled, record: uploaded })
  })

  /** The record with the file that was uploaded, durably. */
  readonly #upload = Effect.fnUntraced({ self: this }, function* ({ record, engine, file }: SpooledBatch): Effect.fn.Return<
    BatchRecord | "halted",
    Failure
  > {
    const uploaded = yield* this.#persistently(engine.upload(file, tokenOf(this.#options.run, record)))
    if (uploaded === "halted" || uploaded === null) return uploaded ?? record
    yield* this.#options.ledger.batches.update(record.batch, { files: [uploaded] })
    return { ...record, files: [uploaded] }
  })

  #create(carried: SpooledBatch): Effect.Effect<BatchState | "dropped" | "halted", Failure> {
    const { account, engine } = carried.record
    const key = `${engine} ${account}`
    const lock = this.#creating.get(key) ?? Semaphore.makeUnsafe(1)
    this.#creating.set(key, lock)
    return lock.withPermits(1)(this.#createOnce(carried))
  }

  readonly #createOnce = Effect.fnUntraced({ self: this }, function* (spooled: SpooledBatch): Effect.fn.Return<
    BatchState | "dropped" | "halted",
    Failure
  > {
    let carried = spooled
    const { engine, file, model } = carried
    for (let unclear = 0, full = 0; ;) {
      const { record } = carried
      const intent = yield* this.#intentOf(carried)
      if (this.#options.halt.reason?.kind === "account") return yield* this.#drop(record)
      const created = yield* Effect.result(engine.create({ file, inputFile: record.files[0] ?? null, intent, model }))
      if (Result.isSuccess(created)) return yield* this.#created(carried, created.success)
      const error = created.failure
      if (error.consequence === "stop") {
        this.#options.halt.raise({ kind: "account", error })
        return yield* this.#drop(record)
      }
      if (error.consequence === "wait") {
        yield* pause(full++, slotFirstMs, slotMaxMs)
        continue
      }
      if (!error.isOutage) return yield* this.#refused(record, error)
      const found = yield* this.#find(carried)
      if (found === "halted") return "halted"
      if (found !== null) return yield* this.#created(carried, found)
      yield* this.#tellTrouble(error, unclear)
      if (++unclear >= triesMax) return yield* this.#refused(record, error)
      yield* pause(unclear, pollFirstMs, pollMaxMs)
      // What was uploaded is gone, so that a creation which arrives late can't make a batch beside the next one.
      const again = yield* this.#upload(spooled)
      if (again === "halted") return yield* this.#drop(record)
      carried = { ...carried, record: again }
    }
  })

  /** Whether a creation whose answer never came made a batch; null if it didn't. */
  readonly #find = Effect.fnUntraced({ self: this }, function* (carried: Carried): Effect.fn.Return<BatchState | null | "halted", Failure> {
    const intent = yield* this.#intentOf(carried)
    for (let looks = 0; ; looks++) {
      const all = yield* this.#options.ledger.batches.all
      const claimed = new Set(all.flatMap(({ providerBatch }) => providerBatch ?? []))
      const found = yield* this.#persistently(carried.engine.find(intent, claimed))
      if (found === "none") return null
      if (found !== "unclear") return found
      yield* pause(looks, pollFirstMs, pollMaxMs)
    }
  })

  readonly #created = Effect.fnUntraced({ self: this }, function* ({ record, engine }: Carried, state: BatchState): Effect.fn.Return<
    BatchState,
    Failure
  > {
    const { providerBatch } = state
    yield* this.#options.ledger.batches.update(record.batch, { status: "live", providerBatch })
    this.#live.set(record.batch, { providerBatch, engine, record })
    return state
  })

  readonly #follow = Effect.fnUntraced({ self: this }, function* (carried: Carried, first: BatchState): Effect.fn.Return<
    EndedBatch["kind"] | "halted",
    Failure
  > {
    const { record, engine, file } = carried
    const { halt, ledger } = this.#options
    this.#live.set(record.batch, { providerBatch: first.providerBatch, engine, record })
    const state = first.status === "ended" ? first : yield* this.#poll(carried, first.providerBatch)
    if (state === "halted") return "halted"
    const { failure, completed, failed } = state
    if (failure !== null && completed + failed === 0) {
      if (failure.consequence === "stop") halt.raise({ kind: "account", error: failure })
      else if (failure.consequence !== "wait") return yield* this.#refused(record, failure)
      return yield* this.#again(carried, state)
    }
    yield* ledger.batches.update(record.batch, {
      status: "ended",
      outcome: state.outcome,
      files: [...new Set([...record.files, ...state.files])]
    })
    const ingested = yield* this.#ingest(carried, state)
    if (ingested === "halted") return "halted"
    if (file !== null) yield* Effect.sync(() => rmSync(file, { force: true }))
    yield* ledger.batches.update(record.batch, { status: "ingested" })
    return "ingested"
  })

  /** The provider's queue was full, or its account had a fault: nothing was done, and the requests are made anew, after a pause. */
  readonly #again = Effect.fnUntraced(
    { self: this },
    function* ({ record, engine }: Carried, { providerBatch, files }: BatchState): Effect.fn.Return<"dropped", Failure> {
      yield* Effect.ignore(engine.remove({ providerBatch, files: [...new Set([...record.files, ...files])] }))
      if (this.#options.halt.reason === null) yield* pause(0, slotFirstMs, slotFirstMs)
      return yield* this.#drop(record)
    }
  )

  readonly #poll = Effect.fnUntraced(
    { self: this },
    function* ({ record, model, engine }: Carried, providerBatch: string): Effect.fn.Return<BatchState | "halted", Failure> {
      let isCancelled = false
      for (let looks = 0; ; looks++) {
        const state = yield* this.#persistently(engine.poll(providerBatch))
        if (state === "halted") return "halted"
        if (state.status === "ended") return state
        this.#live.set(record.batch, { providerBatch, engine, record })
        const cancelAt = this.#options.cancelAt(model)
        if (!isCancelled && cancelAt !== null && this.#options.now() >= cancelAt) {
          isCancelled = yield* this.#cancel(engine, providerBatch)
        }
        yield* pause(
          looks,
          pollFirstMs,
          cancelAt === null ? pollMaxMs : Math.min(pollMaxMs, Math.max(pollFirstMs, cancelAt - this.#options.now()))
        )
      }
    }
  )

  /** False where the provider didn't take it: it is asked again with the next look. */
  readonly #cancel = Effect.fnUntraced({ self: this }, function* (engine: BatchEngine, providerBatch: string) {
    const { run, whyCancelled } = this.#options
    const asked = yield* Effect.result(engine.cancel(providerBatch))
    yield* Result.isSuccess(asked)
      ? Effect.logInfo(`Batch ${providerBatch} of run ${run} ${whyCancelled}.`)
      : Effect.logWarning(`Batch ${providerBatch} of run ${run} can't be cancelled: ${asked.failure.message}. It is tried again.`)
    return Result.isSuccess(asked)
  })

  readonly #ingest = Effect.fnUntraced({ self: this }, function* ({ record, engine }: Carried, state: BatchState): Effect.fn.Return<
    void | "halted",
    Failure
  > {
    const { ledger, ids } = this.#options
    const save = (lines: ReadonlyArray<BatchLine>): Effect.Effect<void, StoreError> =>
      ledger.batches.addReplies(
        record.batch,
        lines.flatMap(({ customId, body }) => {
          const member: BatchMember | null = ids.read(customId)
          return member === null ? [] : [{ ...member, body }]
        })
      )
    return yield* this.#persistently(
      Effect.andThen(
        ledger.batches.clearReplies(record.batch),
        Stream.runForEach(Stream.rechunk(Stream.flattenIterable(engine.results(state)), repliesAtOnce).pipe(Stream.chunks), save)
      )
    )
  })

  readonly #drop = Effect.fnUntraced({ self: this }, function* ({ batch }: BatchRecord): Effect.fn.Return<"dropped", Failure> {
    yield* this.#options.ledger.batches.update(batch, { status: "dropped" })
    return "dropped"
  })

  #refused({ batch, model, account }: BatchRecord, error: ProviderError): Effect.Effect<never, Failure> {
    const { run } = this.#options
    return Effect.andThen(
      this.#options.ledger.batches.update(batch, { status: "dropped" }),
      Effect.fail(new BatchRefused({ run, model, account, detail: error.message }))
    )
  }

  readonly #intentOf = Effect.fnUntraced({ self: this }, function* ({ record }: Carried): Effect.fn.Return<BatchIntent, Failure> {
    const member = yield* this.#options.ledger.batches.oneMember(record.batch)
    return {
      token: tokenOf(this.#options.run, record),
      requests: record.requests,
      intendedAt: record.intendedAt,
      probeId: member === null ? "" : this.#options.ids.of(member),
      inputFile: record.files[0] ?? null
    }
  })

  /** Repeats what can be repeated harmlessly while the provider is in trouble; an account's fault halts the run. */
  #persistently<A>(call: Effect.Effect<A, ProviderError | StoreError>): Effect.Effect<A | "halted", Failure> {
    const { halt, run } = this.#options
    const attempt = (tries: number): Effect.Effect<A | "halted", Failure> =>
      Effect.catch(call, (error): Effect.Effect<A | "halted", Failure> => {
        if (error._tag !== "ProviderError") return Effect.fail(error)
        if (error.consequence === "stop") {
          halt.raise({ kind: "account", error })
          return Effect.succeed("halted" as const)
        }
        if (error.consequence === "dead" || tries >= triesMax)
          return Effect.fail(new BatchRefused({ run, model: error.model, account: error.account, detail: error.message }))
        return this.#tellTrouble(error, tries).pipe(
          Effect.andThen(pause(tries, pollFirstMs, pollMaxMs)),
          Effect.andThen(attempt(tries + 1))
        )
      })
    return attempt(0)
  }

  /** The pauses grow, and so do the distances between these lines. */
  #tellTrouble(error: ProviderError, tries: number): Effect.Effect<void> {
    if (!error.isOutage) return Effect.void
    const { run } = this.#options
    return Effect.logWarning(
      `Run ${run} can't get its batches through: ${error.message}. It tries again (${tries + 1} of ${triesMax}), then it stops. ` +
        `If the address is wrong: Ctrl-C, mend the account's base URL, then \`runtime resume ${run}\`.`
    )
  }
}

/** What a batch is called at its provider, where it can be called anything. */
const tokenOf = (run: string, { batch }: BatchRecord): string => `${run}.${batch}`

/** Doubles from `firstMs` to `mostMs`, with half of it left to chance so that batches don't ask all at once. */
const pause = (times: number, firstMs: number, mostMs: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (share) => Effect.sleep(Math.min(mostMs, firstMs * 2 ** Math.min(times, 20)) * (0.5 + share / 2)))
