/** How a run's items are split into units of work. */
import { makeStep, type ItemOf, type PartitionDefinition, type Partitions, type ReadsSource, type ServicesOf, type Step } from "./step.ts"

/** One size tier: items of a size up to and including `upTo` that no earlier tier took. The last tier leaves `upTo` out. */
export interface Tier<out Name extends string = string> {
  readonly name: Name
  readonly upTo?: number
}

/**
 * One strategy at most: `by` a field, size `tiers`, or balanced by `weight`. Without one, items are spread by a hash of their
 * key, which evens out whatever order the input has.
 */
export interface PartitionOptions<in Item, Label extends string> {
  /** Keeps items of one label together, so that overrides can give them their own prompt or model. */
  readonly by?: (item: Item) => Label
  /** `size` in any unit you like (characters, pages); tiers in ascending order. */
  readonly tiers?: { readonly size: (item: Item) => number; readonly tiers: ReadonlyArray<Tier<Label>> }
  /** The work in one item, any unit ≥ 0 (estimated tokens): partitions get equal sums, so none runs long after the others. */
  readonly weight?: (item: Item) => number
  /** Most items in one partition. Default: ten minutes of the measured or declared throughput, between 100 and 50,000. */
  readonly itemsMax?: number
}

/** Splits a source's items into partitions, the unit of work that a worker leases. Without `by` or `tiers` there are no labels to override. */
export const partition = <From extends Step, const Label extends string = never>(
  source: ReadsSource<From>,
  options: PartitionOptions<ItemOf<From>, Label> = {}
): Partitions<ItemOf<From>, ServicesOf<From>, Label> => {
  // The compiler proved each callback against the source's items; the run time hands it exactly such items.
  const proved = options as unknown as Omit<PartitionDefinition, "kind" | "reads">
  return makeStep({ ...proved, kind: "partition", reads: [source as Step] })
}
