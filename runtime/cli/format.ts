/** How numbers and tables look to people: plain text, no locale of the machine. */

/** 6,046 */
export const formatCount = (count: number): string => Math.round(count).toLocaleString("en-US")

/** As the report has it: $0.00, $12.34; below ten cents with two digits that count. */
export { dollars as formatUsd } from "../report/text.ts"

/** 2026-11-25 01:30, of an ISO instant in whatever zone it is written. */
export const formatMinute = (iso: string): string => iso.slice(0, 16).replace("T", " ")

/** 4 s, 3 min 20 s, 2 h 05 min */
export const formatSeconds = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`
  return `${Math.floor(whole / 3_600)} h ${String(Math.floor((whole % 3_600) / 60)).padStart(2, "0")} min`
}

/** 1.2 kB, 3.4 MB, 5.6 GB */
export const formatBytes = (bytes: number): string => {
  const units = ["B", "kB", "MB", "GB", "TB"]
  const power = Math.min(units.length - 1, bytes < 1_000 ? 0 : Math.floor(Math.log10(bytes) / 3))
  return power === 0 ? `${bytes} B` : `${(bytes / 1_000 ** power).toFixed(1)} ${units[power]}`
}
