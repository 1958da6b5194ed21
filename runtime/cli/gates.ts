/** `runtime gates` */
import * as Effect from "effect/Effect"

import { gateCommands, type BudgetGateDetail } from "../execute/budget-gate.ts"
import type { ListedGate } from "../store/decide-gate.ts"
import { formatCount, formatMinute, formatUsd } from "./format.ts"
import { verb, type Said } from "./verb.ts"

export const gates = verb(
  "gates",
  {
    description: "List where runs wait, or waited, for a person: a spent budget, and what was decided.",
    examples: [["runtime gates", "what waits, newest run first"]]
  },
  {},
  Effect.fnUntraced(function* ({ state }) {
    const { listGates } = yield* Effect.promise(() => import("../store/decide-gate.ts"))
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { readBudgetGate } = yield* Effect.promise(() => import("../execute/budget-gate.ts"))
    const { textTable } = yield* Effect.promise(() => import("./table.ts"))
    const listed = yield* listGates(yield* openStateFolder(state))
    const json = listed.gates.map(({ gate, run, kind, detail, openedAt, decision, decidedBy, addUsd, note }) => ({
      gate,
      run,
      kind,
      detail,
      openedAt: openedAt.toISOString(),
      decision,
      decidedBy,
      addUsd,
      note
    }))
    for (const { run, why } of listed.skipped)
      yield* Effect.sync(() => process.stderr.write(`The gates of run ${run} aren't shown: ${why}.\n`))
    const open = listed.gates.filter(({ decision, runStatus }) => decision === null && runStatus !== "done")
    const decided = listed.gates.filter((gate) => !open.includes(gate))
    const blocks = [
      open.length === 0 ? "No run waits for a person." : open.map((gate) => openText(gate, readBudgetGate(gate.detail))).join("\n"),
      ...(decided.length === 0 ? [] : [textTable(["gate", "kind", "decision", "by", "at", "note"], decided.map(decidedRow))])
    ]
    return { json, text: blocks.join("\n\n") } satisfies Said
  })
)

const openText = ({ gate, kind, openedAt }: ListedGate, detail: BudgetGateDetail | null): string => {
  const since = `since ${formatMinute(openedAt.toISOString())} UTC`
  if (detail === null) return `${gate} (${kind}) waits ${since}.\n  runtime approve ${gate}\n  runtime reject ${gate}`
  const { envelopeUsd, spentUsd, neededUsd, items, openItems } = detail
  return [
    `${gate} waits ${since}: ${formatUsd(spentUsd)} of ${formatUsd(envelopeUsd)} are spent, the next call may cost ${formatUsd(neededUsd)}; ${formatCount(openItems)} of ${formatCount(items)} items are open.`,
    ...gateCommands(gate, detail)
  ].join("\n")
}

const decidedRow = ({ gate, kind, decision, decidedBy, decidedAt, addUsd, note }: ListedGate): ReadonlyArray<string> => [
  gate,
  kind,
  decision === null ? "none: the run ended" : `${decision}${addUsd === null ? "" : `, ${formatUsd(addUsd)} more`}`,
  decidedBy ?? "",
  decidedAt === null ? "" : formatMinute(decidedAt.toISOString()),
  note ?? ""
]
