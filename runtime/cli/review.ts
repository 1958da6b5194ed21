/** `runtime review`: answers that wait for a person. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { StoppedSelection } from "../store/list-stopped.ts"
import { Misuse } from "./misuse.ts"
import { budgetFlag, budgetOf, envFlag } from "./money-flags.ts"
import { byFlag, chosenArgument, isSlug, selectionOf, stoppedFlags, whoDecides } from "./stopped-flags.ts"
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
    status: Flag.Literals("status", statuses).pipe(Flag.withDescription("only these (default: open)"), Flag.optional),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("at most N entries (default 20; with --json 1,000)"),
      Flag.withMetavar("N"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ status, limit, state, json, ...flags }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { listForPerson } = yield* Effect.promise(() => import("./list-stopped.ts"))
    const folder = yield* openStateFolder(state)
    const selection = yield* selectionOf(folder, "review_queue", flags, Option.isSome(status) ? [status.value] : open)
    return yield* listForPerson(folder, selection, Option.getOrNull(limit), json)
  })
)

const runArgument = Argument.String("run").pipe(Argument.withDescription("the run's name"))
const itemArgument = Argument.String("item").pipe(Argument.withDescription("the item's key or item_id"))

const show = verb(
  "show",
  {
    description: "One answer with its item, the rule that stopped it, every try.",
    examples: [["runtime review show RUN ticket-17", "by key or item_id"]]
  },
  { run: runArgument, item: itemArgument },
  Effect.fnUntraced(function* ({ run, item, state }) {
    const { showStopped } = yield* Effect.promise(() => import("./show-stopped.ts"))
    return yield* showStopped({ state, view: "review_queue", run, item })
  })
)

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
  Effect.fnUntraced(function* ({ all, budget, env, by, state, json, ...flags }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { runLinked } = yield* Effect.promise(() => import("./linked-run.ts"))
    const folder = yield* openStateFolder(state)
    const selection = yield* selectionOf(folder, "review_queue", flags, open)
    yield* refuseUnnamed(selection, all, "accept")
    const budgetUsd = yield* budgetOf(budget)
    return yield* runLinked({
      folder,
      action: "accept",
      selection,
      by: whoDecides(by),
      text: null,
      budgetUsd,
      env: Option.getOrNull(env),
      correction: null,
      json
    })
  })
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
    reason: Flag.String("reason").pipe(
      Flag.withDescription("why; a text is kept with the payload, a slug for ever"),
      Flag.withMetavar("TEXT")
    ),
    by: byFlag
  },
  Effect.fnUntraced(function* ({ all, reason, by, state, ...flags }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { decideItems } = yield* Effect.promise(() => import("../store/decide-items.ts"))
    if (reason.trim() === "")
      return yield* new Misuse({ problem: "--reason is empty.", remedy: "Say why the answers are refused: --reason TEXT" })
    const folder = yield* openStateFolder(state)
    const selection = yield* selectionOf(folder, "review_queue", flags, open)
    yield* refuseUnnamed(selection, all, "reject")
    const items = yield* decideItems(folder, {
      action: "reject",
      selection,
      by: whoDecides(by),
      cause: null,
      reason: isSlug(reason) ? reason : null,
      text: reason,
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
