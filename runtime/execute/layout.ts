/** How many partitions a manifest gets. */
import type { PartitionDefinition } from "../../dsl/index.ts"
import type { Layout, StagedGroup } from "../store/ledger.ts"

export interface LayoutOptions {
  readonly definition: PartitionDefinition
  /** Items a minute that one worker gets through: measured by an earlier run, declared by the model, or assumed. */
  readonly itemsPerMinute: number
  /** Workers that will share the partitions: with fewer partitions some would idle. */
  readonly workers: number
}

/** Ten minutes of one worker's throughput, between 100 and 50,000 items (EAAPL-INT005 §11), unless the job says otherwise (PAR-3). */
export const itemsPerPartition = ({ definition, itemsPerMinute }: LayoutOptions): number =>
  definition.itemsMax ?? Math.min(50_000, Math.max(100, Math.round(itemsPerMinute * 10)))

/** Partitions per label: enough that none is too large, and that every worker has one when there is work for all. */
export const layOut = (options: LayoutOptions, groups: ReadonlyArray<StagedGroup>): Layout => {
  const { definition, workers } = options
  const items = groups.reduce((sum, group) => sum + group.items, 0)
  const fair = definition.itemsMax ?? Math.max(100, Math.ceil(items / workers))
  const size = Math.max(1, Math.min(itemsPerPartition(options), fair))
  return {
    spread: definition.weight === undefined ? "hash" : "weight",
    groups: groups.map((group) => ({ label: group.label, partitions: Math.max(1, Math.ceil(group.items / size)) })),
    labelsArePublic: definition.tiers !== undefined
  }
}

/** What one item says about where it belongs. Throws what the author's callback throws. */
export const placeOf = (
  { by, tiers, weight }: PartitionDefinition,
  item: unknown,
  bytes: number
): { readonly label: string; readonly weight: number } => {
  const weighed = weight === undefined ? bytes : weight(item)
  if (!(weighed >= 0 && Number.isFinite(weighed)))
    throw new Error(`weight returned ${String(weighed)}: it must be a finite number of at least 0`)
  return { label: by !== undefined ? labelOf(by(item)) : tiers !== undefined ? tierOf(tiers, item) : "", weight: weighed }
}

const labelOf = (label: unknown): string => {
  if (typeof label !== "string" || label === "")
    throw new Error(`by returned ${JSON.stringify(label)}: it must be a string that isn't empty`)
  return label
}

const tierOf = ({ size, tiers }: NonNullable<PartitionDefinition["tiers"]>, item: unknown): string => {
  const measured = size(item)
  const tier = tiers.find(({ upTo }) => upTo === undefined || measured <= upTo)
  if (tier === undefined || Number.isNaN(measured)) throw new Error(`size returned ${String(measured)}, which no tier takes`)
  return tier.name
}
