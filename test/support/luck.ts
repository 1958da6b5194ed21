/** Chance that comes again: the same from the same seed, on every machine. */

/** Numbers from 0 up to 1, without it (mulberry32). */
export const seeded = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export class Luck {
  readonly #next: () => number

  /** Neighbouring seeds have nothing in common. */
  constructor(seed: number) {
    this.#next = seeded(seed * 2_654_435_761)
  }

  /** From 0 up to 1, without it. */
  next(): number {
    return this.#next()
  }

  /** A whole number from 1 to `most`. */
  upTo(most: number): number {
    return 1 + Math.floor(this.#next() * most)
  }

  chance(share: number): boolean {
    return this.#next() < share
  }

  pick<const A>(of: readonly [A, ...ReadonlyArray<A>]): A {
    return of[Math.floor(this.#next() * of.length)] ?? of[0]
  }
}
