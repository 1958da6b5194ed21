/** How a model of tier `auto` is asked. */

/** What a batch must leave before the deadline for its rest to be asked in real time. `realtimeMs` is what all items would take so. */
export const fallbackMs = (realtimeMs: number): number => Math.max(10 * 60_000, realtimeMs * 1.5)

/** Batch, as long as a batch that fails leaves time enough; `leftMs` is null without a deadline. */
export const autoTier = (leftMs: number | null, realtimeMs: number): "realtime" | "batch" =>
  leftMs === null || leftMs > 2 * fallbackMs(realtimeMs) ? "batch" : "realtime"
