/** What is told, before a channel gives it its own form. Stored until it arrives, so fields only ever join. */
export interface Message {
  readonly audience: "operators" | "consumers"
  readonly severity: "info" | "warning" | "critical"
  readonly job: string
  readonly run: string
  readonly kind: string
  readonly text: string
  /** ISO 8601. */
  readonly at: string
  /** `inc-12`, where one was opened; consumers aren't told of it. */
  readonly incident: string | null
  /** The figures; null for consumers. */
  readonly detail: unknown
  /** What to type about it; none for consumers. */
  readonly commands: ReadonlyArray<string>
}

/** The message as lines for people: what happened, to which run, what to type. */
export const linesOf = ({ severity, job, text, at, incident, commands }: Message): ReadonlyArray<string> => [
  `[${severity}] ${job}${incident === null ? "" : ` · incident ${incident}`} · ${at.slice(0, 16).replace("T", " ")} UTC`,
  text,
  ...commands.map((command) => `  ${command}`)
]
