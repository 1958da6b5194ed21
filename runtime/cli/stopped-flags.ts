/** How stopped items are chosen on the command line: a run and items by name, or filters. */
import { existsSync } from "node:fs"

import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { StoppedSelection } from "../store/list-stopped.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { Misuse } from "./misuse.ts"
import { osUser } from "./os-user.ts"

const filter = (name: string, description: string, metavar: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.withMetavar(metavar), Flag.optional)

export const stoppedFlags = {
  job: filter("job", "of this job", "NAME"),
  run: filter("run", "of this run, and of its linked runs", "RUN"),
  step: filter("step", "stopped at this step", "STEP"),
  code: filter("code", "with this kind of error, such as wrong-schema", "CODE"),
  rule: filter("rule", "stopped by this rule", "RULE")
}
export const causeFilter = filter("cause", "annotated with this root cause", "SLUG")

export const chosenArgument = Argument.String("run-or-item").pipe(
  Argument.withDescription("a run, then items of it by key or item_id; without items, all that the filters leave"),
  Argument.variadic()
)

export const byFlag = Flag.String("by").pipe(
  Flag.withDescription("who decides (default: the user who types)"),
  Flag.withMetavar("NAME"),
  Flag.optional
)

/** `--by NAME`, or whoever typed. */
export const whoDecides = (by: Option.Option<string>): string => Option.getOrElse(by, osUser)

export interface ChosenFlags {
  readonly job: Option.Option<string>
  readonly run: Option.Option<string>
  readonly step: Option.Option<string>
  readonly code: Option.Option<string>
  readonly rule: Option.Option<string>
  readonly cause?: Option.Option<string>
  readonly named?: ReadonlyArray<string>
}

/** A first name that is a run's counts as `--run`. */
export const selectionOf = Effect.fnUntraced(function* (
  folder: StateFolder,
  view: StoppedSelection["view"],
  flags: ChosenFlags,
  statuses: StoppedSelection["statuses"]
): Effect.fn.Return<StoppedSelection, Misuse> {
  const [first, ...rest] = flags.named ?? []
  const namesRun = first !== undefined && isRun(folder, first)
  const run = Option.getOrNull(flags.run)
  if (namesRun && run !== null && run !== first)
    return yield* new Misuse({
      problem: `Two runs are named, ${first} and ${run}.`,
      remedy: "Name one; a replay of several is several replays."
    })
  if (run !== null && !isRun(folder, run)) {
    const { RunNotFound } = yield* Effect.promise(() => import("../execute/run-error.ts"))
    return yield* new Misuse({ problem: new RunNotFound({ run, state: folder.root }).message, remedy: "" })
  }
  const items = namesRun ? rest : (flags.named ?? [])
  return {
    view,
    job: Option.getOrNull(flags.job),
    run: namesRun ? first : run,
    step: Option.getOrNull(flags.step),
    code: Option.getOrNull(flags.code),
    rule: Option.getOrNull(flags.rule),
    cause: Option.getOrNull(flags.cause ?? Option.none()),
    // Of an item that is named, whatever it is: then it can be said why it won't do.
    statuses: items.length > 0 ? null : statuses,
    items: items.length > 0 ? items : null
  }
})

const isRun = (folder: StateFolder, name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) && existsSync(folder.run(name).root)

/** A decision about everything there is would be a slip. */
export const refuseAll = (selection: StoppedSelection, example: string): Effect.Effect<void, Misuse> => {
  const { job, run, step, code, rule, cause, items } = selection
  return [job, run, step, code, rule, cause, items].every((each) => each === null)
    ? Effect.fail(new Misuse({ problem: "Nothing says which items are meant.", remedy: `Name a run, items or filters: ${example}` }))
    : Effect.void
}

/** What a person may call a cause or reason in the record, which analysts read: short, and no text. */
export const isSlug = (text: string): boolean => /^[a-z0-9][a-z0-9-]{0,59}$/.test(text)

/** A word as a shell takes it. */
export const shellWord = (word: string): string => (/^[A-Za-z0-9._/:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
