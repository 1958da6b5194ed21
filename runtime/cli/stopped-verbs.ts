/** What `dlq` and `review` do alike: list, show, and take items up in a linked run. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { StoppedSelection } from "../store/list-stopped.ts"
import { Misuse } from "./misuse.ts"
import { budgetOf } from "./money-flags.ts"
import { isSlug, selectionOf, whoDecides, type ChosenFlags } from "./stopped-flags.ts"
import { verb, type CommonFlags, type VerbTexts } from "./verb.ts"

type View = StoppedSelection["view"]
type Statuses = NonNullable<StoppedSelection["statuses"]>

export const runArgument = Argument.String("run").pipe(Argument.withDescription("the run's name"))
export const itemArgument = Argument.String("item").pipe(Argument.withDescription("the item's key or item_id"))

/** `--status` of a list; `waiting` says what it shows without. */
export const statusFlag = <const Of extends Statuses>(statuses: Of, waiting: ReadonlyArray<Of[number]>) =>
  Flag.Literals("status", statuses).pipe(Flag.withDescription(`only these (default: ${waiting.join(" and ")})`), Flag.optional)

export const limitFlag = Flag.Int("limit").pipe(
  Flag.withDescription("at most N entries (default 20; with --json 1,000)"),
  Flag.withMetavar("N"),
  Flag.optional
)

export const reasonFlag = Flag.String("reason").pipe(
  Flag.withDescription("why; a text is kept with the payload, a slug for ever"),
  Flag.withMetavar("TEXT")
)

/** What is kept of `--reason`: a slug for the record, the text with the payload. `what` ends the sentence "Say why …". */
export const reasonOf = (reason: string, what: string): Effect.Effect<{ readonly reason: string | null; readonly text: string }, Misuse> =>
  reason.trim() === ""
    ? Effect.fail(new Misuse({ problem: "--reason is empty.", remedy: `Say why ${what}: --reason TEXT` }))
    : Effect.succeed({ reason: isSlug(reason) ? reason : null, text: reason })

interface ListFlags extends ChosenFlags, CommonFlags {
  readonly status: Option.Option<Statuses[number]>
  readonly limit: Option.Option<number>
}

/** Handles a `list`. */
export const listChosen = (view: View, waiting: Statuses) =>
  Effect.fnUntraced(function* ({ status, limit, state, json, ...flags }: ListFlags) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { listForPerson } = yield* Effect.promise(() => import("./list-stopped.ts"))
    const folder = yield* openStateFolder(state)
    const selection = yield* selectionOf(folder, view, flags, Option.isSome(status) ? [status.value] : waiting)
    return yield* listForPerson(folder, selection, Option.getOrNull(limit), json)
  })

/** A `show` of one item. */
export const showVerb = (view: View, texts: VerbTexts) =>
  verb(
    "show",
    texts,
    { run: runArgument, item: itemArgument },
    Effect.fnUntraced(function* ({ run, item, state }) {
      const { showStopped } = yield* Effect.promise(() => import("./show-stopped.ts"))
      return yield* showStopped({ state, view, run, item })
    })
  )

interface LinkedFlags extends ChosenFlags, CommonFlags {
  readonly budget: Parameters<typeof budgetOf>[0]
  readonly env: Option.Option<string>
  readonly by: Option.Option<string>
}

interface TakeUp {
  readonly action: "replay" | "accept"
  readonly view: View
  readonly waiting: Statuses
  /** Fails where the selection says too little to act on. */
  readonly refuse: (selection: StoppedSelection) => Effect.Effect<void, Misuse>
}

/** Takes the chosen items up in a linked run, with a budget of its own. */
export const takeUp = Effect.fnUntraced(function* (
  { action, view, waiting, refuse }: TakeUp,
  { budget, env, by, state, json, ...flags }: LinkedFlags
) {
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  const { runLinked } = yield* Effect.promise(() => import("./linked-run.ts"))
  const folder = yield* openStateFolder(state)
  const selection = yield* selectionOf(folder, view, flags, waiting)
  yield* refuse(selection)
  const budgetUsd = yield* budgetOf(budget)
  const who = { by: whoDecides(by), text: null }
  return yield* runLinked({ folder, action, selection, ...who, budgetUsd, env: Option.getOrNull(env), correction: null, json })
})
