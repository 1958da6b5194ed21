/** When a run is expected to be done, and by when it must be. */
import { formatMinute } from "./format.ts"

export interface Eta {
  readonly deadline: string | null
  readonly etaAt: string | null
  readonly etaLow: string | null
  readonly etaHigh: string | null
  readonly workers: number | null
}

/** `due 06:00:00, expected 05:40:10 (05:31:00 to 05:55:30) UTC, 4 workers`; the day where it isn't today's. Null for a run without a deadline. */
export const etaText = ({ deadline, etaAt, etaLow, etaHigh, workers }: Eta, now: Date): string | null => {
  if (deadline === null) return null
  const today = now.toISOString().slice(0, 10)
  const time = (iso: string): string => (iso.startsWith(today) ? iso.slice(11, 19) : formatMinute(iso))
  const isWide = etaLow !== null && etaLow !== etaHigh
  const range = isWide ? ` (${time(etaLow)} to ${etaHigh === null ? "?" : time(etaHigh)})` : ""
  // Before the first items are done there is nothing to reckon with.
  const expected = etaAt === null ? "" : `, expected ${time(etaAt)}${range}`
  const late = etaAt !== null && etaAt > deadline ? ", LATE" : ""
  return `due ${time(deadline)}${expected} UTC${late}${workers === null ? "" : `, ${workers} ${workers === 1 ? "worker" : "workers"}`}`
}
