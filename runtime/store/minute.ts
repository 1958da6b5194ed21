/** Instants in the sentences that errors say. */

/** `2026-11-25 06:00 UTC` */
export const minuteOf = (at: Date | null): string =>
  at === null ? "an unknown time" : `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`
