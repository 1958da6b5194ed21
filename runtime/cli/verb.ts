/** What every verb shares: `--state`, `--json`, how results and errors are printed, and exit codes. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"

/** Exit codes (OPS-7): programs branch on them. */
export const exitCodes = { done: 0, failed: 1, misuse: 2, doneWithOpenItems: 3, waitingAtGate: 4, interrupted: 130 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What a verb has to say: one JSON value for programs, text for people. */
export interface Said {
  readonly json: unknown
  readonly text: string
  /** Default: done. */
  readonly exitCode?: ExitCode
}

export interface CommonFlags {
  readonly state: string
  readonly json: boolean
}

const common = {
  state: Flag.String("state").pipe(
    Flag.withDescription("folder of nightshift's state (default: ./.nightshift)"),
    Flag.withMetavar("DIR"),
    Flag.withDefault(".nightshift")
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("print one JSON value on the last line of stdout, for programs"),
    Flag.withDefault(false)
  )
}

export interface VerbTexts {
  readonly description: string
  /** A command line that works, and what it does. */
  readonly examples: ReadonlyArray<readonly [command: string, description: string]>
}

/** Makes a verb. The handler's own imports should be lazy, so that `--help` loads none of them. */
export const verb = <const Name extends string, const Config extends Command.Command.Config>(
  name: Name,
  { description, examples }: VerbTexts,
  config: Config,
  handle: (flags: Command.Command.Config.Infer<Config> & CommonFlags) => Effect.Effect<Said, unknown>
) =>
  Command.make(name, { ...config, ...common }, (flags) => {
    // The two halves of the record are what the two halves of the config parse to.
    const parsed = flags as unknown as Command.Command.Config.Infer<Config> & CommonFlags
    return say(parsed.json, handle(parsed))
  }).pipe(Command.withDescription(description), Command.withExamples(examples.map(([command, text]) => ({ command, description: text }))))

/** Prints what a verb says or why it failed, and sets the exit code. Interruption passes through. */
const say = (asJson: boolean, handled: Effect.Effect<Said, unknown>): Effect.Effect<void> =>
  Effect.exit(handled).pipe(
    Effect.flatMap((exit) => {
      if (Exit.isSuccess(exit)) return Effect.sync(() => printSaid(asJson, exit.value))
      if (Cause.hasInterrupts(exit.cause)) return Effect.interrupt
      return Effect.andThen(
        Effect.logDebug(Cause.pretty(exit.cause)),
        Effect.sync(() => printFailure(asJson, Cause.squash(exit.cause)))
      )
    })
  )

const printSaid = (asJson: boolean, { json, text, exitCode }: Said): void => {
  process.exitCode = exitCode ?? exitCodes.done
  process.stdout.write(asJson ? `${jsonLine(json)}\n` : text.endsWith("\n") || text === "" ? text : `${text}\n`)
}

/** Bigints beyond 2^53 become text; U+2028 stays inside its line. */
const jsonLine = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) => (typeof field === "bigint" ? String(field) : field))
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029")

const printFailure = (asJson: boolean, error: unknown): void => {
  const tag = typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Defect"
  const message = error instanceof Error ? error.message : String(error)
  process.exitCode = tag === "WaitsAtGate" ? exitCodes.waitingAtGate : misuses.has(tag) ? exitCodes.misuse : exitCodes.failed
  process.stderr.write(
    `${tag === "Defect" ? `A defect in nightshift or in the job's code: ${message}. Nothing that was committed is lost; \`--log-level debug\` prints where.` : message}\n`
  )
  if (asJson)
    process.stdout.write(
      `${jsonLine({ error: { tag, message, ...("faults" in Object(error) ? { faults: (error as { faults: unknown }).faults } : {}) } })}\n`
    )
}

const misuses = new Set([
  "JobNotLoaded",
  "RunNotFound",
  "RunClosed",
  "Misuse",
  "GateNotFound",
  "GateNotOpen",
  "SampleNotAccepted",
  "SampleItemUnknown",
  "DecisionRefused",
  "IncidentNotFound",
  "IncidentNotOpen"
])
