/** What a run says of itself while it works. */
import type { Deadline, Projection, Projector, Look } from "../guard/sla.ts"
import type { Pace } from "../guard/progress.ts"
import type { Tally } from "../store/ledger.ts"

export interface Progress extends Tally, Pace {
  readonly run: string
  readonly job: string
  readonly phase: "manifest" | "work" | "closing"
  /** Rows read while the manifest is built. */
  readonly rows: number
  /** The sweep over what failed, from 1, and how many items it asks again; null in the primary pass. */
  readonly sweep: { readonly sweep: number; readonly items: number } | null
  /** ISO 8601: by when the run must be done, when it's expected to be, and within which bounds; null where there is none, or nothing tells. */
  readonly deadline: string | null
  readonly etaAt: string | null
  readonly etaLow: string | null
  readonly etaHigh: string | null
  /** How many may be at work; null while none is. */
  readonly workers: number | null
}

/** A projection as progress shows it. */
export const etaOf = (
  deadline: Deadline | null,
  projector: Projector,
  look: Look
): Pick<Progress, "deadline" | "etaAt" | "etaLow" | "etaHigh"> => {
  const { etaAt, etaLow, etaHigh }: Projection = projector.project(look)
  return { deadline: isoOf(deadline?.at ?? null), etaAt: isoOf(etaAt), etaLow: isoOf(etaLow), etaHigh: isoOf(etaHigh) }
}

/** Beyond what a date can say there is none. */
const isoOf = (ms: number | null): string | null => (ms === null || ms > 8.64e15 ? null : new Date(ms).toISOString())
