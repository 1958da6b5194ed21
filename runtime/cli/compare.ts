/** `runtime compare RUN_A RUN_B` */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"

import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { Misuse } from "./misuse.ts"
import { verb, type Said } from "./verb.ts"

export const compare = verb(
  "compare",
  {
    description:
      "Put two runs side by side: which items both answered, where the answers differ, confidence and cost of each. Joined by item key; the jobs may differ.",
    examples: [
      ["runtime compare RUN_A RUN_B", "what a new prompt or model changes"],
      ["runtime compare RUN_A RUN_B --step triage --json", "one step, for a program"]
    ]
  },
  {
    runA: Argument.String("run-a").pipe(Argument.withDescription("the run to compare with, as `runtime runs` lists it")),
    runB: Argument.String("run-b").pipe(Argument.withDescription("the other run")),
    step: Flag.String("step").pipe(Flag.withDescription("only this step (default: every step that asks a model)"), Flag.optional)
  },
  Effect.fnUntraced(function* ({ runA, runB, step: asked, state }) {
    const step = Option.getOrNull(asked)
    if (runA === runB)
      return yield* new Misuse({ problem: `Both runs are ${runA}.`, remedy: "Name two different ones: `runtime runs` lists them." })
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { findRunNames } = yield* Effect.promise(() => import("../store/find-run-names.ts"))
    const { RunNotFound } = yield* Effect.promise(() => import("../execute/run-error.ts"))
    const { compareRuns } = yield* Effect.promise(() => import("../store/compare-runs.ts"))
    const { removeFiles } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { compareText } = yield* Effect.promise(() => import("./compare-text.ts"))
    const folder = yield* openStateFolder(state)
    const names = findRunNames(folder)
    for (const run of [runA, runB]) if (!names.includes(run)) return yield* new RunNotFound({ run, state: folder.root })
    // Owner only, for it may hold answers while a large join spills.
    const tempDirectory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(path.join(tmpdir(), "nightshift-compare-"))),
      (made) => removeFiles(made)
    )
    const compared = yield* compareRuns({ a: folder.run(runA), b: folder.run(runB), step, tempDirectory })
    if (step !== null && compared.steps.length === 0) {
      const where =
        compared.stepsOnly.a.length > 0
          ? `only ${runA} has it`
          : compared.stepsOnly.b.length > 0
            ? `only ${runB} has it`
            : "neither run has it"
      return yield* new Misuse({ problem: `--step ${step}: ${where}.`, remedy: "Leave --step out to compare every step that both have." })
    }
    return { json: compared, text: compareText(compared) } satisfies Said
  }, Effect.scoped)
)
