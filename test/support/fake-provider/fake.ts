/** One fake: its world now, and the way to the next. */
import type { Author } from "./answer.ts"
import { type Faults, mergeFaults, noFaults } from "./faults.ts"
import type { FakeStats } from "./ledger.ts"
import { type FakeLedger, type SeenRequest, World } from "./world.ts"

export interface FakeSettings {
  /** A patch of `noFaults`, in force from the start and after each reset. */
  readonly faults: unknown
  /** Speaks as a server of open models: Chat Completions and the model list alone, no rate headers, no keys. */
  readonly isBare: boolean
  /** Writes answers itself; what it leaves undefined is drawn from the schema. */
  readonly author: Author | undefined
  /** How many request bodies are kept for a test to look at. */
  readonly keepRequests: number
}

export class Fake {
  readonly #settings: FakeSettings
  readonly #faults: Faults
  world: World

  constructor(settings: FakeSettings) {
    this.#settings = settings
    this.#faults = mergeFaults(noFaults, settings.faults)
    this.world = this.#newWorld()
  }

  #newWorld(): World {
    const { isBare, author, keepRequests } = this.#settings
    return new World({ faults: this.#faults, isBare, author, keepRequests })
  }

  stats(): FakeStats {
    return this.world.ledger.stats()
  }

  ledger(): FakeLedger {
    return this.world.books()
  }

  requests(): ReadonlyArray<SeenRequest> {
    return this.world.seen
  }

  faults(): Faults {
    return this.world.box.current
  }

  setFaults(patch: unknown): void {
    this.world.change(patch)
  }

  /** Forgets files, batches, books and caches; faults are as they were at the start. Requests under way end in the old world. */
  reset(): void {
    const old = this.world
    this.world = this.#newWorld()
    old.close()
  }
}
