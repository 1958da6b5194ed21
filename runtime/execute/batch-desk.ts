/** Where items leave their requests for a provider's batch: spooled to a file a group, and handed on when the file is full or the pass is over. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

import type { Model } from "../../dsl/index.ts"
import type { Budget, Reservation } from "../guard/budget.ts"
import type { BatchEngine, BatchProvider } from "../provider/batch-provider.ts"
import type { CallRequest } from "../provider/provider.ts"
import type { BatchMember, BatchRecord, Span } from "../store/batch-record.ts"
import type { LedgerShape } from "../store/ledger.ts"
import { onSpool, SpoolFile, spoolPath } from "../store/spool.ts"
import type { RunFolder } from "../store/state-folder.ts"
import type { StoreError } from "../store/store-error.ts"
import { parked, parkedInBatch, type Called, type CallPlace } from "./caller.ts"
import type { CustomIds } from "./custom-id.ts"

/** A sealed spool file whose intent is durable: ready to be sent. */
export interface SpooledBatch {
  readonly record: BatchRecord
  readonly file: string
  readonly model: Model
  readonly engine: BatchEngine
}

export interface BatchDeskOptions {
  readonly folder: RunFolder
  readonly ledger: Pick<LedgerShape, "batches" | "flush">
  readonly budget: Budget<StoreError>
  readonly batches: BatchProvider["Service"]
  readonly ids: CustomIds
  readonly boundUsd: (request: CallRequest) => number
  /** The number of the last batch that the run ever intended. */
  readonly lastBatch: number
  readonly now: () => number
  /** Takes over a batch; waits while too many are on their way. */
  readonly send: (batch: SpooledBatch) => Effect.Effect<void, StoreError>
}

interface OpenSpool {
  readonly batch: number
  readonly model: Model
  readonly engine: BatchEngine
  readonly group: string
  readonly file: SpoolFile
  readonly members: Array<BatchMember>
  readonly reservations: Array<Reservation>
  reservedUsd: number
}

export class BatchDesk {
  readonly #options: BatchDeskOptions
  readonly #spools = new Map<string, OpenSpool>()
  readonly #held = new Map<number, Reservation>()
  readonly #sealing = Semaphore.makeUnsafe(1)
  #lastBatch: number
  /** Items that found no money, by partition: they come again when a batch has freed some. */
  #left = new Map<number, Span>()
  /** The most that one of them needs. */
  neededUsd = 0

  constructor(options: BatchDeskOptions) {
    this.#options = options
    this.#lastBatch = options.lastBatch
  }

  /** Holds back again what a batch of an earlier session may cost. */
  adopt(batch: number, reservation: Reservation): void {
    this.#held.set(batch, reservation)
  }

  /** Puts a request into the file of its group; the item waits for the batch's end. */
  readonly enqueue = (request: CallRequest, place: CallPlace): Effect.Effect<Called, StoreError> => {
    const engine = this.#options.batches.engineOf(request.model)
    if (engine === null) return Effect.die(new Error(`Engine ${request.model.engine} has no batch tier`))
    const boundUsd = this.#options.boundUsd(request)
    const reservation = this.#options.budget.tryReserveBatch(boundUsd)
    if (reservation === null) {
      this.leave(place)
      this.neededUsd = Math.max(this.neededUsd, boundUsd)
      return Effect.succeed(parked)
    }
    const member = { seq: place.seq, step: place.step, attempt: request.attempt }
    const line = engine.lineOf(request, this.#options.ids.of(member))
    const bytes = Buffer.byteLength(line)
    const group = `${request.model.engine} ${request.model.account} ${engine.groupOf(request.model)}`
    return Effect.as(this.#put({ engine, model: request.model, group, line, bytes, member, boundUsd, reservation }), parkedInBatch)
  }

  #put(entry: {
    readonly engine: BatchEngine
    readonly model: Model
    readonly group: string
    readonly line: string
    readonly bytes: number
    readonly member: BatchMember
    readonly boundUsd: number
    readonly reservation: Reservation
  }): Effect.Effect<void, StoreError> {
    const { engine, model, group, line, bytes, member, boundUsd, reservation } = entry
    return Effect.suspend(() => {
      const open = this.#spools.get(group)
      const { requestsMax, bytesMax } = engine.limits
      if (open !== undefined && (open.file.requests + 1 > requestsMax || open.file.bytes + bytes + 1 > bytesMax))
        return Effect.andThen(this.#seal(open), this.#put(entry))
      return onSpool(spoolPath(this.#options.folder, open?.batch ?? this.#lastBatch + 1), () => {
        const spool = open ?? this.#open(model, engine, group)
        spool.file.add(line, bytes)
        spool.members.push(member)
        spool.reservations.push(reservation)
        spool.reservedUsd += boundUsd
      })
    })
  }

  #open(model: Model, engine: BatchEngine, group: string): OpenSpool {
    const batch = ++this.#lastBatch
    const file = new SpoolFile(spoolPath(this.#options.folder, batch))
    const spool: OpenSpool = { batch, model, engine, group, file, members: [], reservations: [], reservedUsd: 0 }
    this.#spools.set(group, spool)
    return spool
  }

  /** Hands on every file that has anything in it. */
  readonly sealAll: Effect.Effect<void, StoreError> = Effect.suspend(() =>
    Effect.forEach([...this.#spools.values()], (spool) => this.#seal(spool), { discard: true })
  )

  /** Whoever comes while a file is sealed writes to the next one. */
  #seal(spool: OpenSpool): Effect.Effect<void, StoreError> {
    return this.#sealing.withPermits(1)(
      Effect.suspend(() => {
        if (this.#spools.get(spool.group) !== spool) return Effect.void
        this.#spools.delete(spool.group)
        return this.#intend(spool)
      })
    )
  }

  readonly #intend = Effect.fnUntraced({ self: this }, function* (spool: OpenSpool) {
    const { ledger, budget, now, send } = this.#options
    const { batch, model, engine, group, file, members, reservations, reservedUsd } = spool
    yield* onSpool(file.path, () => file.seal())
    // What the items settled on their way here is durable before anything is created on it.
    yield* ledger.flush
    const record = {
      batch,
      group,
      reservedUsd,
      engine: model.engine,
      account: model.account,
      model: model.name,
      requests: file.requests,
      bytes: file.bytes,
      providerBatch: null,
      files: [],
      intendedAt: new Date(now())
    }
    yield* ledger.batches.intend(record, members)
    for (const reservation of reservations) budget.release(reservation)
    this.#held.set(batch, budget.adoptBatch(reservedUsd))
    yield* send({ record: { ...record, status: "intended", outcome: null }, file: file.path, model, engine })
  })

  /** One request of a batch is judged: its bound is free again, its cost is spent. */
  settle(batch: number, boundUsd: number, costUsd: number): void {
    const held = this.#held.get(batch)
    if (held !== undefined) this.#options.budget.settleBatch(held, boundUsd, costUsd)
  }

  /** Nothing of the batch will cost anything any more. */
  close(batch: number): void {
    const held = this.#held.get(batch)
    if (held !== undefined) this.#options.budget.release(held)
    this.#held.delete(batch)
  }

  /** Remembers an item that waits for something else than a batch of its own. */
  readonly leave = ({ partition, seq }: CallPlace): void => {
    const span = this.#left.get(partition)
    this.#left.set(partition, {
      partition,
      firstSeq: Math.min(span?.firstSeq ?? seq, seq),
      lastSeq: Math.max(span?.lastSeq ?? seq, seq)
    })
  }

  /** Takes where items were left without money. */
  takeLeft(): ReadonlyArray<Span> {
    const left = [...this.#left.values()]
    this.#left = new Map()
    this.neededUsd = 0
    return left
  }

  get hasLeft(): boolean {
    return this.#left.size > 0
  }
}
