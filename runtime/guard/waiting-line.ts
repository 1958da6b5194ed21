/** Fibers that wait for their turn, first come, first served. It's as long as there are fibers that ask: their number is the callers' to bound. */
import * as Effect from "effect/Effect"

interface Waiter<Need, Grant> {
  readonly need: Need
  isInLine: boolean
  granted: { readonly value: Grant } | null
  resume: ((granted: Effect.Effect<Grant>) => void) | null
  previous: Waiter<Need, Grant> | null
  next: Waiter<Need, Grant> | null
}

export class WaitingLine<Need, Grant> {
  readonly #giveBack: (grant: Grant) => void
  #first: Waiter<Need, Grant> | null = null
  #last: Waiter<Need, Grant> | null = null
  #length = 0

  /** `giveBack` gets what was granted to a fiber that was interrupted before it could take it. */
  constructor(giveBack: (grant: Grant) => void) {
    this.#giveBack = giveBack
  }

  get length(): number {
    return this.#length
  }

  /** What the first in line needs; null when nobody waits. */
  get first(): Need | null {
    return this.#first?.need ?? null
  }

  /**
   * Waits for `grantFirst`; `moved` is called when the fiber is in line, and when it left it because it was interrupted: the one behind it
   * may need less. The wait can be interrupted even where the caller can't: it's meant for the acquisition of `Effect.acquireUseRelease`.
   */
  wait(need: Need, moved: () => void): Effect.Effect<Grant> {
    return Effect.suspend(() => {
      const waiter = this.#join(need)
      moved()
      // Between the grant and its arrival the fiber may yield and be interrupted: the finalizer is outside the callback for that.
      return Effect.onInterrupt(Effect.interruptible(this.#granted(waiter)), () =>
        Effect.sync(() => {
          this.#leave(waiter)
          moved()
        })
      )
    })
  }

  /** Runs the fiber at the head of the line at once, inside this call, until it waits for something else. */
  grantFirst(grant: Grant): void {
    if (this.#first !== null) this.#grant(this.#first, grant)
  }

  /** Grants to all in line whose need is such. */
  grantWhere(isSuch: (need: Need) => boolean, grant: Grant): void {
    // A granted fiber runs at once, and may let others join and leave.
    const such: Array<Waiter<Need, Grant>> = []
    for (let waiter = this.#first; waiter !== null; waiter = waiter.next) if (isSuch(waiter.need)) such.push(waiter)
    for (const waiter of such) if (waiter.isInLine) this.#grant(waiter, grant)
  }

  #granted(waiter: Waiter<Need, Grant>): Effect.Effect<Grant> {
    return Effect.callback<Grant>((resume) => {
      if (waiter.granted === null) waiter.resume = resume
      else resume(Effect.succeed(waiter.granted.value))
    })
  }

  #grant(waiter: Waiter<Need, Grant>, grant: Grant): void {
    this.#unlink(waiter)
    waiter.granted = { value: grant }
    waiter.resume?.(Effect.succeed(grant))
  }

  #join(need: Need): Waiter<Need, Grant> {
    const waiter: Waiter<Need, Grant> = { need, isInLine: true, granted: null, resume: null, previous: this.#last, next: null }
    if (this.#last === null) this.#first = waiter
    else this.#last.next = waiter
    this.#last = waiter
    this.#length++
    return waiter
  }

  #leave(waiter: Waiter<Need, Grant>): void {
    if (waiter.isInLine) this.#unlink(waiter)
    else if (waiter.granted !== null) this.#giveBack(waiter.granted.value)
  }

  #unlink(waiter: Waiter<Need, Grant>): void {
    if (waiter.previous === null) this.#first = waiter.next
    else waiter.previous.next = waiter.next
    if (waiter.next === null) this.#last = waiter.previous
    else waiter.next.previous = waiter.previous
    waiter.isInLine = false
    this.#length--
  }
}
