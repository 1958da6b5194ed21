/** Puts staged items into their partitions, in memory: what `stage-manifest.ts` does on disk. */
import type { Layout, StagedGroup, StagedItem } from "./ledger.ts"
import { lightestFirst } from "./lightest-first.ts"
import type { DiskItem, DiskPartition } from "./memory-disk.ts"

/** An item with its place in the input and what spreads it. */
export interface HashedItem extends StagedItem {
  readonly itemId: string
  readonly hash: number
}

export const groupsOf = (items: ReadonlyArray<StagedItem>): ReadonlyArray<StagedGroup> => {
  const groups = new Map<string, { label: string; items: number; weight: number }>()
  for (const { label, weight } of items) {
    const group = groups.get(label) ?? { label, items: 0, weight: 0 }
    group.items++
    group.weight += weight
    groups.set(label, group)
  }
  return [...groups.values()].toSorted((a, b) => (a.label < b.label ? -1 : 1))
}

/** Items in the manifest's order, and the partitions that have any. */
export const placeItems = (
  items: ReadonlyArray<HashedItem>,
  layout: Layout
): { readonly items: ReadonlyArray<DiskItem>; readonly partitions: Array<DiskPartition> } => {
  const places = layout.spread === "weight" ? placesByWeight(items, layout) : placesByHash(items, layout)
  const order = items.map((_, ordinal) => ordinal).toSorted((a, b) => (places[a] ?? 0) - (places[b] ?? 0) || a - b)
  const labels = layout.groups.flatMap(({ label, partitions }) => Array.from({ length: partitions }, () => label))
  const placed = order.flatMap((ordinal) => items[ordinal] ?? [])
  const partitions: Array<DiskPartition> = []
  for (const [seq, ordinal] of order.entries()) {
    const partition = places[ordinal] ?? 0
    const { weight = 0, bytes = 0 } = items[ordinal] ?? {}
    const last = partitions.at(-1)
    if (last?.partition === partition)
      partitions[partitions.length - 1] = {
        ...last,
        lastSeq: seq,
        items: last.items + 1,
        weight: last.weight + weight,
        bytes: last.bytes + bytes
      }
    else
      partitions.push({
        partition,
        label: labels[partition] || null,
        firstSeq: seq,
        lastSeq: seq,
        items: 1,
        weight,
        bytes,
        isDone: false,
        epoch: 0,
        worker: null
      })
  }
  return { items: placed, partitions }
}

const placesByHash = (items: ReadonlyArray<HashedItem>, { groups }: Layout): ReadonlyArray<number> => {
  const byLabel = new Map<string, { readonly first: number; readonly partitions: number }>()
  let first = 0
  for (const { label, partitions } of groups) {
    byLabel.set(label, { first, partitions })
    first += partitions
  }
  return items.map(({ label, hash }) => {
    const group = byLabel.get(label)
    return group === undefined ? 0 : group.first + (hash % group.partitions)
  })
}

const placesByWeight = (items: ReadonlyArray<HashedItem>, { groups }: Layout): ReadonlyArray<number> => {
  const next = lightestFirst(groups.reduce((sum, { partitions }) => sum + partitions, 0))
  const places = items.map(() => 0)
  const heaviestFirst = items
    .map(({ weight }, ordinal) => ({ weight, ordinal }))
    .toSorted((a, b) => b.weight - a.weight || a.ordinal - b.ordinal)
  for (const { weight, ordinal } of heaviestFirst) places[ordinal] = next(weight)
  return places
}
