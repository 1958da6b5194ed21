/** What a look at the state found. */
export interface Finding {
  /** What was looked at: `control.duckdb`, a run's name, … */
  readonly subject: string
  /** `warn`: works, but a person should know. `fail`: something doesn't work. */
  readonly level: "ok" | "warn" | "fail"
  readonly text: string
  /** What to type or do; null where nothing needs doing. */
  readonly remedy: string | null
}

export const ok = (subject: string, text: string): Finding => ({ subject, level: "ok", text, remedy: null })
export const warn = (subject: string, text: string, remedy: string): Finding => ({ subject, level: "warn", text, remedy })
export const fail = (subject: string, text: string, remedy: string): Finding => ({ subject, level: "fail", text, remedy })
