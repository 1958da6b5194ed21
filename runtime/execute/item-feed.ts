/** What a worker takes its items from. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

import type { LedgerShape, PartitionRecord, PendingItem } from "../store/ledger.ts"
import { nextSlice, sliceOf } from "../store/slice-size.ts"
import type { StoreError } from "../store/store-error.ts"

/** A partition's pending items, a slice at a time. While one slot loads, the others go on with what they have. */
export class ItemFeed {
  readonly #ledger: LedgerShape
  readonly #last: number
  readonly #loading = Semaphore.makeUnsafe(1)
  #slice: ReadonlyArray<PendingItem> = []
  #at = 0
  /** Null for all that are pending. */
  readonly #only: ReadonlyArray<number> | null
  #nextOnly = 0
  #from: number
  #size: number

  /** `only`: the seqs that are wanted, in order; null for all that are pending. */
  constructor(ledger: LedgerShape, { firstSeq, lastSeq, items, bytes }: PartitionRecord, only: ReadonlyArray<number> | null) {
    this.#ledger = ledger
    this.#from = firstSeq
    this.#last = lastSeq
    this.#size = sliceOf(items, bytes)
    this.#only = only
  }

  take(): PendingItem | null {
    return this.#slice[this.#at++] ?? null
  }

  /** The next item; null at the end. */
  readonly load: Effect.Effect<PendingItem | null, StoreError> = Effect.suspend(() => this.#loading.withPermits(1)(this.#loadOne))

  readonly #loadOne = Effect.gen({ self: this }, function* () {
    for (let item = this.take(); ; item = this.take()) {
      if (item !== null) return item
      const range = this.#only === null ? this.#nextRange() : this.#nextGroup(this.#only)
      if (range === null) return null
      const pending = yield* this.#ledger.pending(range.from, range.to)
      this.#slice = range.wanted === null ? pending : pending.filter(({ seq }) => range.wanted?.has(seq))
      this.#at = 0
      this.#size = nextSlice(
        this.#size,
        pending.reduce((bytes, { body }) => bytes + (body?.length ?? 0), 0)
      )
    }
  })

  #nextRange(): Range | null {
    if (this.#from > this.#last) return null
    const from = this.#from
    const to = Math.min(this.#last, from + this.#size - 1)
    this.#from = to + 1
    return { from, to, wanted: null }
  }

  /** Neighbours come in one look; the far ones don't, for what lies between is read with them. */
  #nextGroup(only: ReadonlyArray<number>): Range | null {
    const from = only[this.#nextOnly]
    if (from === undefined) return null
    const wanted = new Set<number>()
    let to = from
    for (; this.#nextOnly < only.length; this.#nextOnly++) {
      const seq = only[this.#nextOnly] ?? from
      if (seq - from >= this.#size || seq - to > gapMax) break
      wanted.add(seq)
      to = seq
    }
    return { from, to, wanted }
  }
}

interface Range {
  readonly from: number
  readonly to: number
  readonly wanted: ReadonlySet<number> | null
}

const gapMax = 64
