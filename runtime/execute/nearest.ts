/** What somebody may have meant who typed a key that isn't there. */

/** Of more keys than this the first ones are compared. */
const comparedMax = 20_000
const shown = 3
/** Longer keys are compared by their beginnings. */
const charactersMax = 100

/** Keeps the three keys that are most like the wanted one: first those that contain it, then those few edits away. */
export class Nearest {
  readonly #wanted: string
  #compared = 0
  #best: ReadonlyArray<{ readonly key: string; readonly distance: number }> = []

  constructor(wanted: string) {
    this.#wanted = wanted.toLowerCase().slice(0, charactersMax)
  }

  add(key: string): void {
    if (this.#compared++ >= comparedMax) return
    const worst = this.#best.length < shown ? Number.POSITIVE_INFINITY : (this.#best.at(-1)?.distance ?? 0)
    const distance = this.#distanceTo(key.toLowerCase())
    if (distance < worst) this.#best = [...this.#best, { key, distance }].toSorted((a, b) => a.distance - b.distance).slice(0, shown)
  }

  get best(): ReadonlyArray<string> {
    return this.#best.map(({ key }) => key)
  }

  #distanceTo(key: string): number {
    // Of several that contain it, the shortest is nearest; all of them are nearer than any edit.
    if (this.#wanted !== "" && key.includes(this.#wanted)) return 1 - 1 / key.length
    return editDistance(this.#wanted, key.slice(0, charactersMax))
  }
}

/** Insertions, deletions and replacements that make `b` of `a` (Levenshtein). */
const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
