/** What was asked, what was answered and what was paid: the provider's own books, to hold a client's against. */
import { type Tokens, usdOf } from "./catalog.ts"

/** One paid request. "Paid" is admitted with a 200: the provider bills even when the client died before it read the answer. */
export interface Payment {
  /** Of model and prompt: equal for equal items, in real time and in a batch. */
  readonly item: number
  /** Epoch ms. */
  readonly at: number
  readonly model: string
  readonly tier: "realtime" | "batch"
  /** From 0: how often this item had been asked before. */
  readonly attempt: number
  readonly customId: string | null
  readonly batch: string | null
  readonly tokens: Tokens
  /** Null for a model without a list price. */
  readonly usd: number | null
}

export interface ModelTotals {
  readonly calls: number
  readonly usd: number
  /** Calls that have no price. */
  readonly unpriced: number
  readonly tokens: Tokens
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends object ? Writable<T[K]> : T[K] }

interface ItemCount {
  seen: number
  paid: number
}

const noTotals = (): Writable<ModelTotals> => ({
  calls: 0,
  usd: 0,
  unpriced: 0,
  tokens: { input: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 }
})

/** Counters that the rest of the fake raises. */
export class Ledger {
  readonly since = Date.now()
  readonly payments: Array<Payment> = []
  readonly items = new Map<number, ItemCount>()
  readonly #models = new Map<string, Writable<ModelTotals>>()
  #paidItems = 0
  #paidTwice = 0
  #paidUsd = 0
  readonly byStatus: Record<string, number> = {}
  readonly byPath: Record<string, number> = {}
  readonly byFault: Record<string, number> = {}
  calls = 0
  inFlight = 0
  maxInFlight = 0
  hung = 0
  aborted = 0
  batchesCreated = 0
  batchesCancelled = 0
  batchesDeleted = 0
  uploadsBegun = 0
  filesUploaded = 0
  filesDeleted = 0

  /** The number of this attempt of an item, from 0. */
  attempt(item: number): number {
    const count = this.items.get(item)
    if (count !== undefined) return count.seen++
    this.items.set(item, { seen: 1, paid: 0 })
    return 0
  }

  pay(payment: Omit<Payment, "usd" | "at">): void {
    const { item, model, tier, tokens } = payment
    const count = this.items.get(item)
    const paid = count === undefined ? 1 : ++count.paid
    if (paid === 1) this.#paidItems++
    if (paid === 2) this.#paidTwice++
    const usd = usdOf(model, tokens, tier === "batch")
    this.payments.push({ ...payment, at: Date.now(), usd })
    this.#paidUsd += usd ?? 0
    const totals = this.#models.get(model) ?? noTotals()
    this.#models.set(model, totals)
    totals.calls++
    totals.usd += usd ?? 0
    if (usd === null) totals.unpriced++
    totals.tokens.input += tokens.input
    totals.tokens.cacheRead += tokens.cacheRead
    totals.tokens.cacheWrite5m += tokens.cacheWrite5m
    totals.tokens.cacheWrite1h += tokens.cacheWrite1h
    totals.tokens.output += tokens.output
    totals.tokens.reasoning += tokens.reasoning
  }

  stats() {
    const { user, system } = process.cpuUsage()
    return {
      uptimeMs: Date.now() - this.since,
      calls: this.calls,
      inFlight: this.inFlight,
      maxInFlight: this.maxInFlight,
      hung: this.hung,
      /** Requests whose client was gone before the answer was sent. */
      aborted: this.aborted,
      byStatus: { ...this.byStatus },
      byPath: { ...this.byPath },
      byFault: { ...this.byFault },
      items: this.items.size,
      paidCalls: this.payments.length,
      paidItems: this.#paidItems,
      /** Items that were paid more than once. */
      paidTwice: this.#paidTwice,
      /** Payments beyond each item's first. */
      paidExtra: this.payments.length - this.#paidItems,
      paidUsd: this.#paidUsd,
      models: Object.fromEntries([...this.#models].map(([model, totals]) => [model, structuredClone<ModelTotals>(totals)])),
      batches: { created: this.batchesCreated, cancelled: this.batchesCancelled, deleted: this.batchesDeleted },
      files: { begun: this.uploadsBegun, uploaded: this.filesUploaded, deleted: this.filesDeleted },
      cpuMs: Math.round((user + system) / 1000),
      rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20)
    }
  }
}

export type FakeStats = ReturnType<Ledger["stats"]>
