/** What steps reached on their labelled samples, over all runs of a state folder. */
import type * as Effect from "effect/Effect"

import { withControl, type ControlTables } from "./control.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

export type EvaluationRow = ControlTables["control.evaluations"]

/** The best score that this very prompt, model and parameters ever reached; null where they were never evaluated. */
export const bestScore = (
  folder: StateFolder,
  { job, step, subject }: Pick<EvaluationRow, "job" | "step" | "subject">
): Effect.Effect<number | null, StoreError> =>
  withControl(folder, "bestScore", (duck) =>
    duck.use("reading evaluations", async (db) => {
      const { score } = await db
        .selectFrom("control.evaluations")
        .select(({ fn }) => fn.max<number | null>("score").as("score"))
        .where("job", "=", job)
        .where("step", "=", step)
        .where("subject", "=", subject)
        .executeTakeFirstOrThrow()
      return score
    })
  )

/** Keeps what was reached, passed or not. */
export const recordEvaluation = (folder: StateFolder, row: EvaluationRow): Effect.Effect<void, StoreError> =>
  withControl(folder, "recordEvaluation", (duck) =>
    duck.use("recording an evaluation", async (db) => void (await db.insertInto("control.evaluations").values(row).execute()))
  )
