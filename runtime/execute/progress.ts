/** What a run says of itself while it works. */
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
}
