/** Decides what happens to one attempt, and keeps what is left of the faults that are used up. */
import { chance, type Draw } from "./chance.ts"
import { type Chore, type ChoreFault, faultKinds, type FaultKind, type Faults, mergeFaults } from "./faults.ts"

/** The faults in force. */
export class FaultBox {
  #faults: Faults
  #next: Array<FaultKind> = []
  #chores: Map<string, Array<ChoreFault>> = new Map()
  #rates: ReadonlyArray<readonly [FaultKind, number]> = []
  #markers: ReadonlyArray<readonly [string, FaultKind]> = []

  constructor(faults: Faults) {
    this.#faults = faults
    this.#load(faults)
  }

  /** With `next` and `chores` as they are left. */
  get current(): Faults {
    // `#load` filled the map from the record's own names.
    const chores = Object.fromEntries(this.#chores) as unknown as Faults["chores"]
    return { ...this.#faults, next: this.#next, chores }
  }

  /** As `current`, for the hot path: `next` and `chores` are as they were set. */
  get steady(): Faults {
    return this.#faults
  }

  change(patch: unknown): void {
    this.#load(mergeFaults(this.current, patch))
  }

  #load(faults: Faults): void {
    this.#faults = faults
    this.#next = [...faults.next]
    this.#chores = new Map(Object.entries(faults.chores).map(([chore, list]) => [chore, [...list]]))
    let sum = 0
    // In the order of `faultKinds`, so that the order of a patch's fields changes no fate.
    this.#rates = faultKinds.flatMap((kind) => {
      const rate = faults.rates[kind] ?? 0
      sum += rate
      return rate > 0 ? [[kind, sum] as const] : []
    })
    this.#markers = Object.entries(faults.markers)
  }

  /** What a script says of the next request, if there is one. */
  scripted(): FaultKind | undefined {
    return this.#next.length === 0 ? undefined : this.#next.shift()
  }

  /** What happens to an attempt by its content alone. */
  fateOf(draw: Draw, prompt: string): FaultKind {
    const { faultAttempts } = this.#faults
    if (faultAttempts > 0 && draw.attempt >= faultAttempts) return "ok"
    for (const [text, kind] of this.#markers) if (prompt.includes(text)) return kind
    if (this.#rates.length === 0) return "ok"
    const u = chance(draw, 7)
    for (const [kind, below] of this.#rates) if (u < below) return kind
    return "ok"
  }

  /** What a script says of the next such chore. */
  choreFault(chore: Chore): ChoreFault {
    return this.#chores.get(chore)?.shift() ?? "ok"
  }
}
