/** `runtime run JOB` */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { Misuse } from "./misuse.ts"
import { budgetFlag, budgetOf, envFlag } from "./money-flags.ts"
import { verb } from "./verb.ts"

export const run = verb(
  "run",
  {
    description:
      "Run a job: manifest, work, aggregates, report. Exit 0 done · 3 done with dead letters, reviews or items held back · 4 waiting at a gate · 1 failed · 130 interrupted, resumable.",
    examples: [
      ["runtime run jobs/inbox-triage.ts", "run it for the current logical date"],
      ["runtime run jobs/inbox-triage.ts --date 2026-03-01 --limit 100", "a trial on the first hundred items"]
    ]
  },
  {
    job: Argument.String("job").pipe(Argument.withDescription("the job's module, `path.ts` or `path.ts#export`")),
    date: Flag.String("date").pipe(
      Flag.withDescription("logical date, YYYY-MM-DD (default: the last fire time, or today in UTC)"),
      Flag.optional
    ),
    param: Flag.KeyValuePair("param").pipe(Flag.withDescription("a parameter of the job, name=value; may be repeated"), Flag.optional),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("only the first N items: a trial, never released"),
      Flag.withMetavar("N"),
      Flag.optional
    ),
    budget: budgetFlag,
    env: envFlag
  },
  Effect.fnUntraced(function* ({ job, date, param, limit, budget, env, state, json }) {
    if (Option.isSome(limit) && limit.value < 1)
      return yield* new Misuse({ problem: `--limit ${limit.value} runs nothing.`, remedy: "Give at least 1, or leave it out." })
    const { prepareRun } = yield* Effect.promise(() => import("./prepare-run.ts"))
    const { runToOutcome } = yield* Effect.promise(() => import("./run-outcome.ts"))
    const prepared = yield* prepareRun({
      reference: job,
      date: Option.getOrNull(date),
      params: Option.getOrElse(param, () => ({})),
      itemLimit: Option.getOrNull(limit),
      budgetUsd: yield* budgetOf(budget),
      env: Option.getOrNull(env),
      state
    })
    return yield* runToOutcome({ ...prepared, command: `runtime run ${job}` }, json)
  })
)
