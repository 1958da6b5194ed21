/** `runtime approve GATE`, `runtime reject GATE`: writes what a person decided, then goes on with the run. */
import { userInfo } from "node:os"

import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { Misuse } from "./misuse.ts"
import { envFlag } from "./money-flags.ts"
import { verb } from "./verb.ts"

const gateArgument = Argument.String("gate").pipe(Argument.withDescription("the gate's name, as `runtime gates` lists it"))
const noteFlag = Flag.String("note").pipe(Flag.withDescription("why, for the record"), Flag.withMetavar("TEXT"), Flag.optional)

export const approve = verb(
  "approve",
  {
    description: "Let a run that waits at a gate go on, and go on with it. A budget gate needs money: --add-usd.",
    examples: [["runtime approve mail-triage-20261125-013000-7f3k.1 --add-usd 20", "twenty dollars more"]]
  },
  {
    gate: gateArgument,
    addUsd: Flag.Finite("add-usd").pipe(Flag.withDescription("US dollars on top of the budget"), Flag.withMetavar("USD"), Flag.optional),
    note: noteFlag,
    env: envFlag
  },
  Effect.fnUntraced(function* ({ gate, addUsd, note, env, state, json }) {
    const { findGate } = yield* Effect.promise(() => import("../store/decide-gate.ts"))
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const found = yield* findGate(yield* openStateFolder(state), gate)
    const usd = Option.getOrNull(addUsd)
    if (found.gate.kind === "budget" && (usd === null || usd <= 0))
      return yield* new Misuse({
        problem: `Gate ${gate} waits for money, and ${usd === null ? "none is given" : `--add-usd ${usd} gives none`}. Nothing was changed.`,
        remedy: `Say how much more the run may spend: runtime approve ${gate} --add-usd N`
      })
    return yield* decide({ gate, decision: "approved", addUsd: usd, note: Option.getOrNull(note), env: Option.getOrNull(env), state, json })
  })
)

export const reject = verb(
  "reject",
  {
    description: "Close a run that waits at a gate without the rest: its open items are held back, and no further call is made.",
    examples: [["runtime reject mail-triage-20261125-013000-7f3k.1 --note 'too dear'", "what is done stays"]]
  },
  { gate: gateArgument, note: noteFlag, env: envFlag },
  ({ gate, note, env, state, json }) =>
    decide({ gate, decision: "rejected", addUsd: null, note: Option.getOrNull(note), env: Option.getOrNull(env), state, json })
)

const decide = Effect.fn("Cli.decide")(function* (request: {
  readonly gate: string
  readonly decision: "approved" | "rejected"
  readonly addUsd: number | null
  readonly note: string | null
  readonly env: string | null
  readonly state: string
  readonly json: boolean
}) {
  const { gate, decision, addUsd, note, env, state, json } = request
  const { decideGate } = yield* Effect.promise(() => import("../store/decide-gate.ts"))
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  const { resumeRun } = yield* Effect.promise(() => import("./resume.ts"))
  const folder = yield* openStateFolder(state)
  const { run } = yield* decideGate(folder, { gate, decision, by: userInfo().username, addUsd, note })
  // No daemon is there to start it again: it goes on here.
  return yield* resumeRun({
    run,
    acceptPlan: false,
    env,
    state,
    json,
    command: `runtime ${decision === "approved" ? "approve" : "reject"} ${gate}`
  })
})
