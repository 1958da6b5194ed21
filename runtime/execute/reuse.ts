/**
 * Equal requests are answered once: the second takes the first one's answer, of this run or of an earlier one (EXE-9). What a rule refuses is
 * handed on no more; where rules take their time, an equal item may have it before they are through, and then they judge it there too.
 */
import * as Effect from "effect/Effect"

import type { Reply } from "../provider/provider.ts"
import { noUsage } from "../provider/usage.ts"
import type { EarlierAnswers } from "../store/earlier-answers.ts"
import type { StoreError } from "../store/store-error.ts"
import { Waiters } from "../store/waiters.ts"
import { parked, reusedAnswer, type Called, type CallPlace } from "./caller.ts"

/** Answers of this run that are kept for equal requests; beyond these the oldest go, and are asked for again. */
const keptMax = 250_000
const keptCharactersMax = 64_000_000

/** What is kept of a reply: as text it takes half the memory. */
interface Kept extends Pick<Reply, "raw" | "modelVersion" | "costUsd"> {
  /** JSON, in the engine's dialect. */
  readonly output: string
}

export class Reuse {
  readonly #earlier: EarlierAnswers | null
  readonly #kept = new Map<string, Kept>()
  #characters = 0
  /** Asked in real time, not judged yet. */
  readonly #asked = new Set<string>()
  /** In a provider's batch, not judged yet: whose request it is. */
  readonly #batched = new Map<string, number>()
  readonly #judged = new Waiters()
  /** Tells of an item that waits for an equal one's batch. */
  readonly #onWait: (place: CallPlace) => void

  constructor(earlier: EarlierAnswers | null, onWait: (place: CallPlace) => void) {
    this.#earlier = earlier
    this.#onWait = onWait
  }

  /** An equal request's answer, or that of `ask`. */
  orAsk(place: CallPlace, ask: () => Effect.Effect<Called, StoreError>): Effect.Effect<Called, StoreError> {
    const { digest } = place
    const kept = this.#kept.get(digest)
    if (kept !== undefined) {
      const { output, raw, modelVersion, costUsd } = kept
      return Effect.succeed(reusedAnswer({ ...unpaid, output: JSON.parse(output), raw, modelVersion }, costUsd, false))
    }
    const owner = this.#batched.get(digest)
    if (owner !== undefined && owner !== place.seq) {
      this.#onWait(place)
      return Effect.succeed(parked)
    }
    if (this.#asked.has(digest))
      return this.#judged
        .until(() => !this.#asked.has(digest))
        .pipe(
          // Whoever asked goes on first: a rule may refuse the answer in the same breath.
          Effect.andThen(Effect.yieldNow),
          Effect.andThen(Effect.suspend(() => this.orAsk(place, ask)))
        )
    if (this.#earlier?.has(digest) === true)
      return Effect.flatMap(this.#earlier.find(digest), (found) =>
        found === null
          ? this.#askFirst(place, ask)
          : Effect.succeed(
              reusedAnswer(
                { ...unpaid, output: JSON.parse(found.output), raw: null, modelVersion: found.modelVersion },
                found.costUsd,
                true
              )
            )
      )
    return this.#askFirst(place, ask)
  }

  #askFirst({ digest, seq }: CallPlace, ask: () => Effect.Effect<Called, StoreError>): Effect.Effect<Called, StoreError> {
    this.#asked.add(digest)
    return Effect.onExit(ask(), (exit) =>
      Effect.sync(() => {
        // An answer is judged by its step first: only one that fits the schema is given to others.
        if (exit._tag === "Success" && exit.value.kind === "called") return
        if (exit._tag === "Success" && exit.value.kind === "parked" && exit.value.isBatched) this.#batched.set(digest, seq)
        this.#release(digest)
      })
    )
  }

  /** Says what a step made of a request: null where no answer fitted, or a rule refused it. */
  judged(digest: string, reply: Reply | null): void {
    this.#batched.delete(digest)
    if (reply === null) this.#forget(digest)
    else if (!this.#kept.has(digest)) this.#keep(digest, reply)
    if (this.#asked.has(digest)) this.#release(digest)
  }

  /** No batch is left that could answer: whoever waits for one asks itself. */
  forgetBatched(): void {
    this.#batched.clear()
  }

  #keep(digest: string, { output, raw, modelVersion, costUsd }: Reply): void {
    const kept = { output: JSON.stringify(output), raw, modelVersion, costUsd }
    this.#kept.set(digest, kept)
    this.#characters += charactersOf(digest, kept)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= keptMax && this.#characters <= keptCharactersMax) return
      this.#forget(oldest)
    }
  }

  #forget(digest: string): void {
    const kept = this.#kept.get(digest)
    if (kept === undefined) return
    this.#characters -= charactersOf(digest, kept)
    this.#kept.delete(digest)
  }

  #release(digest: string): void {
    this.#asked.delete(digest)
    this.#judged.wake()
  }
}

const charactersOf = (digest: string, { output, raw }: Kept): number => digest.length + output.length + (raw?.length ?? 0)

const unpaid = { usage: noUsage, costUsd: 0, repaired: false, signals: null }
