/** What a request is called in a provider's batch: our own name, never the author's key (case 1). */
import { digest } from "../../dsl/index.ts"
import type { BatchMember } from "../store/batch-record.ts"

/** Names and recognises the requests of one run; at most 64 characters of `[A-Za-z0-9_-]`. */
export class CustomIds {
  readonly #prefix: string
  readonly #steps: ReadonlyArray<string>

  /** `steps` are the run's checkpointed steps, in the plan's order. */
  constructor(run: string, steps: ReadonlyArray<string>) {
    this.#prefix = `ns${digest(run).slice(0, 12)}`
    this.#steps = steps
  }

  of({ seq, step, attempt }: BatchMember): string {
    return `${this.#prefix}-${this.#steps.indexOf(step)}-${seq}-${attempt}`
  }

  /** Null for a name that isn't of this run. */
  read(customId: string): BatchMember | null {
    const [prefix, step, seq, attempt] = customId.split("-")
    const name = this.#steps[Number(step)]
    if (prefix !== this.#prefix || name === undefined || !isWhole(seq) || !isWhole(attempt)) return null
    return { seq: Number(seq), step: name, attempt: Number(attempt) }
  }
}

const isWhole = (text: string | undefined): boolean => text !== undefined && /^\d{1,15}$/.test(text)
