/** How sensitive data is. */

/** How sensitive a job's data is; inherited by its outputs, and binding where it may be sent (SEC-4). */
export type Classification = "public" | "internal" | "confidential" | "restricted"

/** From the least sensitive to the most. */
export const classifications: ReadonlyArray<Classification> = ["public", "internal", "confidential", "restricted"]
