/** `runtime dlq`: dead letters, from what went wrong to everything delivered. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { Misuse } from "./misuse.ts"
import { budgetFlag, envFlag } from "./money-flags.ts"
import { byFlag, causeFilter, chosenArgument, isSlug, refuseAll, selectionOf, stoppedFlags, whoDecides } from "./stopped-flags.ts"
import { limitFlag, listChosen, reasonFlag, reasonOf, showVerb, statusFlag, takeUp } from "./stopped-verbs.ts"
import { verb, type Said } from "./verb.ts"

const noteFlag = Flag.String("note").pipe(
  Flag.withDescription("in your words; kept with the run's payload and destroyed with it"),
  Flag.withMetavar("TEXT"),
  Flag.optional
)

const statuses = ["open", "annotated", "discarded", "replayed"] as const
const waiting = ["open", "annotated"] as const

const list = verb(
  "list",
  {
    description: "Dead letters that wait for somebody: by cause of failure first, then the newest one by one.",
    examples: [
      ["runtime dlq list", "what waits, of all runs"],
      ["runtime dlq list --run RUN --code wrong-schema --json", "one JSON array, newest first"]
    ]
  },
  {
    ...stoppedFlags,
    cause: causeFilter,
    status: statusFlag(statuses, waiting),
    limit: limitFlag
  },
  listChosen("dlq", waiting)
)

const show = showVerb("dlq", {
  description: "One dead letter with all that is needed to mend it: the item, the error, what the model said, every try, what was decided.",
  examples: [["runtime dlq show RUN ticket-17", "by the item's key, or its item_id"]]
})

const annotate = verb(
  "annotate",
  {
    description: "Name the root cause of dead letters: a replay needs one.",
    examples: [["runtime dlq annotate RUN --code wrong-schema --cause label-missing-in-schema", "all of one kind"]]
  },
  {
    named: chosenArgument,
    ...stoppedFlags,
    cause: Flag.String("cause").pipe(Flag.withDescription("the root cause: lower-case words with hyphens"), Flag.withMetavar("SLUG")),
    note: noteFlag,
    by: byFlag
  },
  Effect.fnUntraced(function* ({ cause, note, by, state, ...flags }) {
    if (!isSlug(cause))
      return yield* new Misuse({
        problem: `"${cause}" is no slug, and causes stand where analysts read.`,
        remedy: "Take lower-case words with hyphens, such as --cause schema-too-narrow, and put texts into --note."
      })
    const { decideItems } = yield* Effect.promise(() => import("../store/decide-items.ts"))
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const folder = yield* openStateFolder(state)
    const selection = yield* selectionOf(folder, "dlq", flags, waiting)
    yield* refuseAll(selection, "runtime dlq annotate RUN --cause SLUG")
    const items = yield* decideItems(folder, {
      action: "annotate",
      selection,
      by: whoDecides(by),
      cause,
      reason: cause,
      text: Option.getOrNull(note),
      linked: null
    })
    const run = selection.run ?? "RUN"
    return {
      json: { annotated: items, cause },
      text: `${items} dead ${items === 1 ? "letter has" : "letters have"} the cause ${cause}. When it is mended: runtime dlq replay ${run} --cause ${cause}`
    } satisfies Said
  })
)

const discard = verb(
  "discard",
  {
    description: "Give dead letters up for good: they stay in the record, and wait for nobody.",
    examples: [["runtime dlq discard RUN ticket-17 --reason 'an empty scan'", "one item"]]
  },
  {
    named: chosenArgument,
    ...stoppedFlags,
    cause: causeFilter,
    reason: reasonFlag,
    by: byFlag
  },
  Effect.fnUntraced(function* ({ reason, by, state, ...flags }) {
    const { decideItems } = yield* Effect.promise(() => import("../store/decide-items.ts"))
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const why = yield* reasonOf(reason, "the items are given up")
    const folder = yield* openStateFolder(state)
    const selection = yield* selectionOf(folder, "dlq", flags, waiting)
    yield* refuseAll(selection, "runtime dlq discard RUN ITEM --reason TEXT")
    const items = yield* decideItems(folder, {
      action: "discard",
      selection,
      by: whoDecides(by),
      cause: null,
      ...why,
      linked: null
    })
    return { json: { discarded: items }, text: `${items} dead ${items === 1 ? "letter is" : "letters are"} discarded.` } satisfies Said
  })
)

const replay = verb(
  "replay",
  {
    description:
      "Run dead letters again, with today's code, prompt and model, in a linked run with a budget of its own. Each needs an annotated cause. Answers that were right are not asked for again. Exit codes are those of `run`.",
    examples: [["runtime dlq replay RUN --cause label-missing-in-schema", "all that the fix should have mended"]]
  },
  { named: chosenArgument, ...stoppedFlags, cause: causeFilter, budget: budgetFlag, env: envFlag, by: byFlag },
  (flags) =>
    takeUp({ action: "replay", view: "dlq", waiting, refuse: (chosen) => refuseAll(chosen, "runtime dlq replay RUN --cause SLUG") }, flags)
)

export const dlq = Command.make("dlq").pipe(
  Command.withDescription("Dead letters: list, show, annotate, discard, replay."),
  Command.withSubcommands([list, show, annotate, discard, replay])
)
