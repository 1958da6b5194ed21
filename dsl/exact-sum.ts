/** A sum of floating-point numbers that loses no digit on the way: the same numbers in any order give the same sum. */

/** Shewchuk's algorithm (1997), as in Python's `fsum`. Exact while no partial sum leaves the range of a number. */
export class ExactSum {
  /** Parts that don't overlap, smallest first: together they are exactly what was added. */
  readonly #parts: Array<number> = []

  add(value: number): void {
    const parts = this.#parts
    let carried = value
    let kept = 0
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] ?? 0
      const sum = carried + part
      const lost = Math.abs(carried) < Math.abs(part) ? carried - (sum - part) : part - (sum - carried)
      if (lost !== 0) parts[kept++] = lost
      carried = sum
    }
    parts.length = kept
    parts.push(carried)
  }

  /** Rounded once, to the nearest number. */
  get value(): number {
    const parts = [...this.#parts]
    let sum = parts.pop() ?? 0
    let lost = 0
    while (lost === 0 && parts.length > 0) {
      const part = parts.pop() ?? 0
      const next = sum + part
      lost = part - (next - sum)
      sum = next
    }
    // A tie was rounded to even without looking at the parts below; they say which way it leans.
    const next = sum + lost * 2
    const leans = lost !== 0 && Math.sign(lost) === Math.sign(parts.at(-1) ?? 0)
    return leans && next - sum === lost * 2 ? next : sum
  }
}
