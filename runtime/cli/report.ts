/** `runtime report RUN` */
import * as Argument from "effect/cli/Argument"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Plan } from "../../dsl/index.ts"
import { verb } from "./verb.ts"

export const report = verb(
  "report",
  {
    description: "Write a run's completion report anew from its files: a page with plots, or all of its figures with --json.",
    examples: [
      ["runtime report mail-triage-20261125-013000-7f3k", "writes report.html and prints its path"],
      ["runtime report mail-triage-20261125-013000-7f3k --json", "the figures"]
    ]
  },
  { run: Argument.String("run").pipe(Argument.withDescription("the run's name")) },
  Effect.fnUntraced(function* ({ run, state }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { findRun } = yield* Effect.promise(() => import("../execute/resume.ts"))
    const { writeReport } = yield* Effect.promise(() => import("../execute/write-report.ts"))
    const folder = yield* openStateFolder(state)
    const { start } = yield* findRun(folder, run)
    // Written by `compile`, in this state's own format.
    const plan = (yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))(start.plan)) as Plan
    const written = yield* writeReport(folder, run, plan)
    return { json: { ...written.report, reportPath: written.path }, text: written.path }
  })
)
