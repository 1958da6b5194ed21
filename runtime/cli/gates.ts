/** `runtime gates` */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { GateWords } from "../execute/gate-kind.ts"
import type { ListedGate } from "../store/decide-gate.ts"
import { formatMinute, formatUsd } from "./format.ts"
import { verb, type Said } from "./verb.ts"

export const gates = verb(
  "gates",
  {
    description:
      "List where runs wait, or waited, for a person: a spent budget, too many failures, poor quality, a changed plan, a sample to see, an evaluation not passed.",
    examples: [["runtime gates", "what waits, newest run first, and what was decided"]]
  },
  {},
  Effect.fnUntraced(function* ({ state }) {
    const { listGates } = yield* Effect.promise(() => import("../store/decide-gate.ts"))
    const { isOverdue } = yield* Effect.promise(() => import("../store/gate-expiry.ts"))
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { commandLines, gateWords } = yield* Effect.promise(() => import("../execute/gate-kinds.ts"))
    const { textTable } = yield* Effect.promise(() => import("./table.ts"))
    const now = yield* Clock.currentTimeMillis
    const listed = yield* listGates(yield* openStateFolder(state))
    for (const { run, why } of listed.skipped)
      yield* Effect.sync(() => process.stderr.write(`The gates of run ${run} aren't shown: ${why}.\n`))
    const open = listed.gates.filter((gate) => gate.decision === null && gate.runStatus !== "done")
    const overdue = open.filter((gate) => isOverdue(gate, now))
    const waiting = open.filter((gate) => !overdue.includes(gate))
    const decided = listed.gates.filter((gate) => !open.includes(gate))
    const openText = (gate: ListedGate): string => {
      const words = gateWords(gate.gate, gate.kind, gate.detail)
      return [headOf(gate, words), ...commandLines(words.commands)].join("\n")
    }
    const blocks = [
      waiting.length === 0 ? "No run waits for a person." : waiting.map(openText).join("\n"),
      ...(overdue.length === 0 ? [] : [overdue.map(overdueText).join("\n")]),
      ...(decided.length === 0 ? [] : [textTable(["gate", "kind", "decision", "by", "at", "note"], decided.map(decidedRow))])
    ]
    return { json: listed.gates.map(jsonOf), text: blocks.join("\n\n") } satisfies Said
  })
)

const jsonOf = ({ gate, run, kind, detail, openedAt, expiresAt, decision, decidedBy, decidedAt, addUsd, note }: ListedGate) => ({
  gate,
  run,
  kind,
  detail,
  openedAt: openedAt.toISOString(),
  expiresAt: expiresAt?.toISOString() ?? null,
  decision,
  decidedBy,
  decidedAt: decidedAt?.toISOString() ?? null,
  addUsd,
  note
})

const headOf = ({ gate, kind, openedAt, expiresAt }: ListedGate, { says }: GateWords): string =>
  [
    `${gate} waits since ${minute(openedAt)} UTC${expiresAt === null ? "" : `, until ${minute(expiresAt)} UTC`}: ${kind}.`,
    ...says.map((line) => `  ${line}`)
  ].join("\n")

const overdueText = ({ gate, kind, run, expiresAt }: ListedGate): string =>
  `${gate} (${kind}) was not decided by ${expiresAt === null ? "" : minute(expiresAt)} UTC, which counts as rejected: runtime resume ${run} closes the run.`

const decidedRow = ({ gate, kind, decision, decidedBy, decidedAt, addUsd, note }: ListedGate): ReadonlyArray<string> => [
  gate,
  kind,
  decision === null ? "none: the run ended" : `${decision}${addUsd === null ? "" : `, ${formatUsd(addUsd)} more`}`,
  decidedBy ?? "",
  decidedAt === null ? "" : minute(decidedAt),
  note ?? ""
]

const minute = (at: Date): string => formatMinute(at.toISOString())
