/** `runtime approve GATE`, `runtime reject GATE`: writes what a person decided, then goes on with the run. */
import * as Clock from "effect/Clock"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { ListedGate } from "../store/decide-gate.ts"
import type { Money } from "../store/ledger.ts"
import { formatUsd } from "./format.ts"
import { Misuse } from "./misuse.ts"
import { sameEnvFlag } from "./money-flags.ts"
import { osUser } from "./os-user.ts"
import { verb } from "./verb.ts"

const gateArgument = Argument.String("gate").pipe(Argument.withDescription("the gate's name, as `runtime gates` lists it"))
export const byFlag = Flag.String("by").pipe(
  Flag.withDescription("who decides (default: your user's name)"),
  Flag.withMetavar("NAME"),
  Flag.optional
)
export const noteFlag = Flag.String("note").pipe(Flag.withDescription("why, for the record"), Flag.withMetavar("TEXT"), Flag.optional)

export const approve = verb(
  "approve",
  {
    description: "Let a run that waits at a gate go on, and go on with it. A budget gate needs money: --add-usd; no other gate takes any.",
    examples: [["runtime approve mail-triage-20261125-013000-7f3k.1 --add-usd 20", "twenty dollars more"]]
  },
  {
    gate: gateArgument,
    addUsd: Flag.Finite("add-usd").pipe(Flag.withDescription("US dollars on top of the budget"), Flag.withMetavar("USD"), Flag.optional),
    note: noteFlag,
    by: byFlag,
    env: sameEnvFlag
  },
  Effect.fnUntraced(function* ({ addUsd, ...request }) {
    const usd = Option.getOrNull(addUsd)
    yield* refuseUnmet(request.state, request.gate, usd)
    return yield* decide({ ...request, decision: "approved", addUsd: usd })
  })
)

export const reject = verb(
  "reject",
  {
    description: "Close a run that waits at a gate: its open items are held back without a further call, and what isn't released stays so.",
    examples: [["runtime reject mail-triage-20261125-013000-7f3k.1 --note 'too dear'", "what is done stays"]]
  },
  { gate: gateArgument, note: noteFlag, by: byFlag, env: sameEnvFlag },
  (request) => decide({ ...request, decision: "rejected", addUsd: null })
)

/** What a kind of gate asks of an approval, before anything is written. What isn't open is refused by whoever writes. */
const refuseUnmet = Effect.fnUntraced(function* (state: string, gate: string, usd: number | null) {
  const { findGate } = yield* Effect.promise(() => import("../store/decide-gate.ts"))
  const { isOverdue } = yield* Effect.promise(() => import("../store/gate-expiry.ts"))
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  const { gateKinds } = yield* Effect.promise(() => import("../execute/gate-kinds.ts"))
  const { gate: found, money } = yield* findGate(yield* openStateFolder(state), gate)
  if (found.decision !== null || found.runStatus === "done" || isOverdue(found, yield* Clock.currentTimeMillis)) return
  if (found.kind === "budget") return yield* refuseTooLittle(found, money, usd)
  if (usd !== null && !gateKinds[found.kind].takesUsd)
    return yield* new Misuse({
      problem: `Gate ${gate} is a ${found.kind} gate: it asks for no money, and --add-usd ${usd} would add some.`,
      remedy: `Nothing was changed. Leave it out: runtime approve ${gate}`
    })
})

/** Without room for its next call the run would come straight back to its gate. Some may be left: a batch may have cost less than it held. */
const refuseTooLittle = Effect.fnUntraced(function* ({ gate, detail: stored }: ListedGate, money: Money, usd: number | null) {
  const { budgetGate, suggestedUsd } = yield* Effect.promise(() => import("../execute/budget-gate.ts"))
  const detail = budgetGate.read(stored)
  const { envelopeUsd, spentUsd, uncertainUsd, batchUsd } = money
  const headroomUsd = Math.max(0, envelopeUsd - spentUsd - uncertainUsd - batchUsd)
  const isGiven = usd === null || usd > 0
  if (isGiven && (detail === null ? usd !== null : detail.neededUsd <= headroomUsd + (usd ?? 0))) return
  const needed = detail === null ? "may cost more" : `may cost ${formatUsd(detail.neededUsd)}`
  const left = `${formatUsd(headroomUsd)} of ${formatUsd(envelopeUsd)} are left, and the next call ${needed}`
  const problem =
    usd === null
      ? `Gate ${gate} waits for money: ${left}.`
      : isGiven
        ? `--add-usd ${usd} is too little for gate ${gate}: ${left}.`
        : `--add-usd ${usd} gives gate ${gate} nothing: ${left}.`
  return yield* new Misuse({
    problem,
    remedy: `Nothing was changed. Say how much more the run may spend: runtime approve ${gate} --add-usd ${detail === null ? "N" : suggestedUsd(detail)}`
  })
})

const decide = Effect.fn("Cli.decide")(function* (request: {
  readonly gate: string
  readonly decision: "approved" | "rejected"
  readonly addUsd: number | null
  readonly note: Option.Option<string>
  readonly by: Option.Option<string>
  readonly env: Option.Option<string>
  readonly state: string
  readonly json: boolean
}) {
  const { gate, decision, addUsd, note, by, env, state, json } = request
  const { decideGate } = yield* Effect.promise(() => import("../store/decide-gate.ts"))
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  const { resumeRun } = yield* Effect.promise(() => import("./resume.ts"))
  const folder = yield* openStateFolder(state)
  const { run } = yield* decideGate(folder, { gate, decision, by: Option.getOrElse(by, osUser), addUsd, note: Option.getOrNull(note) })
  const more = addUsd === null ? "" : `: ${formatUsd(addUsd)} more`
  const next = decision === "approved" ? "goes on from its checkpoints" : "holds back what is open, and closes"
  yield* Effect.sync(() => process.stderr.write(`Gate ${gate} is ${decision}${more}. Run ${run} ${next}.\n`))
  // No daemon is there to start it again: it goes on here.
  return yield* resumeRun({
    run,
    acceptPlan: false,
    env: Option.getOrNull(env),
    state,
    json,
    command: `runtime ${decision === "approved" ? "approve" : "reject"} ${gate}`
  })
})
