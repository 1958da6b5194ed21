/** `runtime gates` */
import * as Effect from "effect/Effect"

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
    const rows = json.map(({ gate, kind, decision, decidedBy, addUsd }) => [
      gate,
      kind,
      decision === null ? "waits" : `${decision} by ${decidedBy}${addUsd === null ? "" : `, $${addUsd} more`}`
    ])
    const skipped = listed.skipped.map(({ run, why }) => `Run ${run} wasn't looked at: ${why}.`)
    const text = rows.length === 0 ? "No run waits for a person." : textTable(["gate", "kind", "decision"], rows)
    const open = json.find(({ decision }) => decision === null)
    const next =
      open === undefined
        ? []
        : [`Go on with \`runtime approve ${open.gate} --add-usd N\`, or close the run without the rest: \`runtime reject ${open.gate}\`.`]
    return { json, text: [text, ...next, ...skipped].join("\n") } satisfies Said
  })
)
