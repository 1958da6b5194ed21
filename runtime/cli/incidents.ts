/** `runtime incidents list|ack|close` */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { Incident } from "../store/incidents.ts"
import type { UndeliveredMessages } from "../store/outbox.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { formatCount, formatMinute } from "./format.ts"
import { osUser } from "./os-user.ts"
import { verb, type Said } from "./verb.ts"

const list = verb(
  "list",
  {
    description: "List incidents: what a person must look at, newest first. Says too which channels could not be told.",
    examples: [
      ["runtime incidents list --open", "those that nobody closed"],
      ["runtime incidents list --job mail-triage --json", "one job's, as one JSON array"]
    ]
  },
  {
    run: Flag.String("run").pipe(Flag.withDescription("only of this run"), Flag.optional),
    job: Flag.String("job").pipe(Flag.withDescription("only of this job"), Flag.optional),
    open: Flag.Boolean("open").pipe(Flag.withDescription("only those that nobody closed"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* ({ run, job, open, state }) {
    const { listIncidents } = yield* Effect.promise(() => import("../store/incidents.ts"))
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { deliverWaiting } = yield* Effect.promise(() => import("../execute/deliver-waiting.ts"))
    const folder = yield* openStateFolder(state)
    const listed = yield* listIncidents(folder, { run: Option.getOrNull(run), job: Option.getOrNull(job), isOpen: open })
    const undelivered = yield* deliverWaiting(folder)
    for (const line of undelivered.map(undeliveredText)) yield* Effect.sync(() => process.stderr.write(`${line}\n`))
    return { json: listed.map(jsonOf), text: textOf(listed, open) } satisfies Said
  })
)

const incidentArgument = Argument.String("incident").pipe(Argument.withDescription("its name, as `runtime incidents list` has it"))

const ack = verb(
  "ack",
  {
    description: "Acknowledge an incident: whoever looks next sees that you are on it, and since when.",
    examples: [["runtime incidents ack inc-12", "you are on it"]]
  },
  { incident: incidentArgument },
  Effect.fnUntraced(function* ({ incident, state }) {
    const { ackIncident } = yield* Effect.promise(() => import("../store/incidents.ts"))
    return yield* change(state, (folder) => ackIncident(folder, incident, osUser()), "acknowledged")
  })
)

const close = verb(
  "close",
  {
    description: "Close an incident: nothing of it is left to do.",
    examples: [["runtime incidents close inc-12", "it is dealt with"]]
  },
  { incident: incidentArgument },
  Effect.fnUntraced(function* ({ incident, state }) {
    const { closeIncident } = yield* Effect.promise(() => import("../store/incidents.ts"))
    return yield* change(state, (folder) => closeIncident(folder, incident, osUser()), "closed")
  })
)

export const incidents = Command.make("incidents").pipe(
  Command.withDescription("What a person must look at: list, acknowledge, close."),
  Command.withSubcommands([list, ack, close])
)

const change = Effect.fnUntraced(function* <E>(state: string, write: (folder: StateFolder) => Effect.Effect<Incident, E>, changed: string) {
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  const incident = yield* write(yield* openStateFolder(state))
  return { json: jsonOf(incident), text: `Incident ${incident.incident} of run ${incident.run} is ${changed}.` } satisfies Said
})

const jsonOf = ({ openedAt, ackedAt, closedAt, ...incident }: Incident) => ({
  ...incident,
  openedAt: openedAt.toISOString(),
  ackedAt: ackedAt?.toISOString() ?? null,
  closedAt: closedAt?.toISOString() ?? null
})

const textOf = (listed: ReadonlyArray<Incident>, isOpen: boolean): string =>
  listed.length === 0 ? (isOpen ? "No incident is open." : "No incident yet.") : listed.map(incidentText).join("\n")

const incidentText = ({ incident, run, kind, severity, text, openedAt, ackedBy, ackedAt, closedBy, closedAt }: Incident): string => {
  const state =
    closedAt !== null
      ? `closed by ${closedBy} at ${minuteOf(closedAt)}`
      : ackedAt !== null
        ? `acknowledged by ${ackedBy} at ${minuteOf(ackedAt)}`
        : `open: runtime incidents ack ${incident}`
  return `${incident} ${severity} ${kind} of ${run}, opened ${minuteOf(openedAt)} UTC, ${state}\n  ${text}`
}

const minuteOf = (at: Date): string => formatMinute(at.toISOString())

const undeliveredText = ({ channel, waiting, givenUp, problem }: UndeliveredMessages): string => {
  const why = problem === null ? "" : ` (${problem})`
  const parts = [
    ...(waiting > 0 ? [`${formatCount(waiting)} on the way, tried again by every run and every \`runtime incidents list\``] : []),
    ...(givenUp > 0 ? [`${formatCount(givenUp)} given up after a day`] : [])
  ]
  return `Messages that channel "${channel}" has not got${why}: ${parts.join("; ")}.`
}
