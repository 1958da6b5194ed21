/** Everything that the fake knows: one of it a server, replaced by a reset. */
import type { Author } from "./answer.ts"
import { FaultBox } from "./fate.ts"
import type { Faults } from "./faults.ts"
import { Ledger } from "./ledger.ts"
import { PromptCache } from "./prompt-cache.ts"
import { SchemaCache } from "./question.ts"
import { RateLimits } from "./rate-limits.ts"
import { FileShelf } from "./file-shelf.ts"
import { BatchHall } from "./batch-hall.ts"

export interface WorldOptions {
  readonly faults: Faults
  /** Speaks as a server of open models: Chat Completions alone, no rate headers, no files, no batches, no keys. */
  readonly isBare: boolean
  readonly author: Author | undefined
  /** How many request bodies are kept for a test to look at. */
  readonly keepRequests: number
}

/** A request as it came. */
export interface SeenRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

export class World {
  readonly isBare: boolean
  readonly author: Author | undefined
  readonly keepRequests: number
  readonly ledger = new Ledger()
  readonly cache = new PromptCache()
  readonly schemas = new SchemaCache()
  readonly box: FaultBox
  readonly files: FileShelf
  readonly batches: BatchHall
  readonly seen: Array<SeenRequest> = []
  limits: RateLimits
  /** Requests that came as far as the rate limits. */
  judged = 0
  #serial = 0
  // Ids of a world that came before mustn't come again.
  readonly #birth = Date.now().toString(36)

  constructor({ faults, isBare, author, keepRequests }: WorldOptions) {
    this.isBare = isBare
    this.author = author
    this.keepRequests = keepRequests
    this.box = new FaultBox(faults)
    this.limits = new RateLimits(faults.limits)
    this.files = new FileShelf(this)
    this.batches = new BatchHall(this)
  }

  newId(prefix: string): string {
    return `${prefix}${this.#birth}${(++this.#serial).toString(36).padStart(10, "0")}`
  }

  /** Changed limits start with full buckets. */
  change(patch: unknown): void {
    const before = this.box.steady.limits
    this.box.change(patch)
    const { limits } = this.box.steady
    if (JSON.stringify(limits) !== JSON.stringify(before)) this.limits = new RateLimits(limits)
  }

  /** What an outage does to a request now, if there is one. */
  outage(): Faults["outage"]["mode"] | undefined {
    const { on, fromMs, forMs, mode } = this.box.steady.outage
    if (on) return mode
    if (forMs === 0) return undefined
    const t = Date.now() - this.ledger.since
    return t >= fromMs && t < fromMs + forMs ? mode : undefined
  }

  keep(request: SeenRequest): void {
    if (this.seen.length < this.keepRequests) this.seen.push(request)
  }

  close(): void {
    this.batches.close()
    this.files.close()
  }
}
