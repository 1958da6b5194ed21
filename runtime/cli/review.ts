/** `runtime review`: answers that wait for a person. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { StoppedSelection } from "../store/list-stopped.ts"
import { Misuse } from "./misuse.ts"
import { budgetFlag, budgetOf, envFlag } from "./money-flags.ts"
import { byFlag, chosenArgument, selectionOf, stoppedFlags, whoDecides } from "./stopped-flags.ts"
import { itemArgument, limitFlag, listChosen, reasonFlag, reasonOf, runArgument, showVerb, statusFlag, takeUp } from "./stopped-verbs.ts"
import { verb, type Said } from "./verb.ts"

const statuses = ["open", "accepted", "corrected", "rejected"] as const
const open = ["open"] as const

const list = verb(
  "list",
  {
    description: "Answers that wait for a person: by rule first, then the newest one by one.",
    examples: [["runtime review list --run RUN --json", "one JSON array, newest first"]]
  },
  {
    ...stoppedFlags,
    status: statusFlag(statuses, open),
    limit: limitFlag
  },
  listChosen("review_queue", open)
)

const show = showVerb("review_queue", {
  description: "One answer with its item, the rule that stopped it, every try.",
  examples: [["runtime review show RUN ticket-17", "by key or item_id"]]
})

const allFlag = Flag.Boolean("all").pipe(Flag.withDescription("every answer that the filters leave"), Flag.withDefault(false))

/** Answers are decided about by name: a whole run of them only where that is said. */
const refuseUnnamed = ({ items }: StoppedSelection, all: boolean, verbName: string): Effect.Effect<void, Misuse> =>
  items === null && !all
    ? Effect.fail(
        new Misuse({
          problem: "No item is named.",
          remedy: `Name some, or say --all: runtime review ${verbName} RUN ITEM, runtime review ${verbName} RUN --all`
        })
      )
    : Effect.void

const accept = verb(
  "accept",
  {
    description:
      "Deliver answers as they are, in a linked run: they go on behind the rule that stopped them, and no model is asked again for them.",
    examples: [["runtime review accept RUN ticket-17", "one answer"]]
  },
  { named: chosenArgument, ...stoppedFlags, all: allFlag, budget: budgetFlag, env: envFlag, by: byFlag },
  ({ all, ...flags }) =>
    takeUp({ action: "accept", view: "review_queue", waiting: open, refuse: (chosen) => refuseUnnamed(chosen, all, "accept") }, flags)
)

const reject = verb(
  "reject",
  {
    description: "Refuse answers: each is a dead letter from now on, for `runtime dlq`.",
    examples: [["runtime review reject RUN ticket-17 --reason 'names the wrong party'", "one answer"]]
  },
  {
    named: chosenArgument,
    ...stoppedFlags,
    all: allFlag,
    reason: reasonFlag,
    by: byFlag
  },
  Effect.fnUntraced(function* ({ all, reason, by, state, ...flags }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { decideItems } = yield* Effect.promise(() => import("../store/decide-items.ts"))
    const why = yield* reasonOf(reason, "the answers are refused")
    const folder = yield* openStateFolder(state)
    const selection = yield* selectionOf(folder, "review_queue", flags, open)
    yield* refuseUnnamed(selection, all, "reject")
    const items = yield* decideItems(folder, {
      action: "reject",
      selection,
      by: whoDecides(by),
      cause: null,
      ...why,
      linked: null
    })
    return {
      json: { rejected: items },
      text: `${items} ${items === 1 ? "answer is" : "answers are"} rejected, and dead ${items === 1 ? "letter" : "letters"} now: runtime dlq list${selection.run === null ? "" : ` --run ${selection.run}`}`
    } satisfies Said
  })
)

const correct = verb(
  "correct",
  {
    description:
      "Give the right answer yourself: held against the step's schema and rules like any other, then delivered in a linked run with you as its model.",
    examples: [[`runtime review correct RUN ticket-17 --output '{"topic":"spam"}'`, "or --output @file.json"]]
  },
  {
    run: runArgument,
    item: itemArgument,
    output: Flag.String("output").pipe(Flag.withDescription("the answer as JSON, or @FILE that holds it"), Flag.withMetavar("JSON")),
    step: Flag.String("step").pipe(
      Flag.withDescription("where the answer was stopped, if it was at several steps"),
      Flag.withMetavar("STEP"),
      Flag.optional
    ),
    budget: budgetFlag,
    env: envFlag,
    by: byFlag
  },
  Effect.fnUntraced(function* ({ run, item, output, step, budget, env, by, state, json }) {
    const { correctItem } = yield* Effect.promise(() => import("./correct-item.ts"))
    return yield* correctItem({
      run,
      item,
      output,
      step: Option.getOrNull(step),
      by: whoDecides(by),
      budgetUsd: yield* budgetOf(budget),
      env: Option.getOrNull(env),
      state,
      json
    })
  })
)

export const reviewVerb = Command.make("review").pipe(
  Command.withDescription("Answers that wait for a person: list, show, accept, reject, correct."),
  Command.withSubcommands([list, show, accept, reject, correct])
)
