/** Longest processing time first: heaviest item first, each to the partition that is lightest so far. */

/** Returns a function that takes weights in falling order and says which of `partitions` gets each. Ties go to the lower number. */
export const lightestFirst = (partitions: number): ((weight: number) => number) => {
  // A binary heap of partitions by their load.
  const load = new Float64Array(Math.max(partitions, 1))
  const heap = Array.from(load.keys())
  const before = (a: number, b: number): boolean => (load[a] ?? 0) < (load[b] ?? 0) || (load[a] === load[b] && a < b)
  const sink = (): void => {
    const top = heap[0] ?? 0
    let at = 0
    for (;;) {
      const left = at * 2 + 1
      if (left >= heap.length) break
      const right = left + 1
      const child = right < heap.length && before(heap[right] ?? 0, heap[left] ?? 0) ? right : left
      if (!before(heap[child] ?? 0, top)) break
      heap[at] = heap[child] ?? 0
      at = child
    }
    heap[at] = top
  }
  return (weight) => {
    const lightest = heap[0] ?? 0
    // Items that weigh nothing still take a turn, or they would all go to one partition.
    load[lightest] = (load[lightest] ?? 0) + (weight > 0 ? weight : 1e-9)
    sink()
    return lightest
  }
}
