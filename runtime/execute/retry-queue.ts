/** Items that were not answered and are asked again: after the primary pass, a sweep at a time. */

/** An item in the queue. */
export interface QueuedItem {
  readonly seq: number
  readonly partition: number
  /** Epoch ms before which it isn't asked. */
  readonly dueAt: number
  /** Why it has to be asked again. */
  readonly code: string
}

/** One a run. Its durable half are the ledger's retries: a session that goes on finds them with the items that are pending. */
export class RetryQueue {
  #items = new Map<number, QueuedItem>()
  #isSweeping = false

  /** Puts an item in its place, once: the latest word counts. */
  add(item: QueuedItem): void {
    this.#items.set(item.seq, item)
  }

  get size(): number {
    return this.#items.size
  }

  /** When the last of them may be asked; null where none waits. */
  get lastDueAt(): number | null {
    let last: number | null = null
    for (const { dueAt } of this.#items.values()) last = Math.max(last ?? dueAt, dueAt)
    return last
  }

  /** Whether a call may be made now: never in the primary pass, which leaves retries behind it. */
  isDue(dueAt: number, now: number): boolean {
    return this.#isSweeping && dueAt <= now
  }

  /** The primary pass is over. */
  beginSweeps(): void {
    this.#isSweeping = true
  }

  /** How many wait for which reason, most first. */
  get byCode(): ReadonlyArray<{ readonly code: string; readonly items: number }> {
    const counts = new Map<string, number>()
    for (const { code } of this.#items.values()) counts.set(code, (counts.get(code) ?? 0) + 1)
    return [...counts].map(([code, items]) => ({ code, items })).toSorted((a, b) => b.items - a.items || (a.code < b.code ? -1 : 1))
  }

  /** Takes all out, the first due first: what fails again waits for the next sweep. */
  takeAll(): ReadonlyArray<QueuedItem> {
    const all = [...this.#items.values()].toSorted((a, b) => a.dueAt - b.dueAt || a.seq - b.seq)
    this.#items = new Map()
    return all
  }
}
