/** `runtime runs` */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"

import { formatCount, formatMinute, formatUsd } from "./format.ts"
import { verb } from "./verb.ts"

export const runs = verb(
  "runs",
  {
    description: "Lists runs, newest first: what went on, what it came to.",
    examples: [["runtime runs --limit 20", "the last twenty"]]
  },
  { limit: Flag.Int("limit").pipe(Flag.withDescription("at most N runs (default 50)"), Flag.withDefault(50)) },
  Effect.fnUntraced(function* ({ limit, state }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { listRuns } = yield* Effect.promise(() => import("../store/control.ts"))
    const { readRunStatus } = yield* Effect.promise(() => import("../store/read-run-status.ts"))
    const folder = yield* openStateFolder(state)
    const indexed = yield* listRuns(folder, limit)
    // The index is told of a run's end by the run itself, so of one that crashed it only knows the start: the run's own file is asked.
    const rows = yield* Effect.forEach(indexed, (row) =>
      Effect.map(row.status === "done" ? Effect.succeed(null) : readRunStatus(folder.run(row.run), row.run), (now) => ({
        ...row,
        ...now?.dispositions,
        manifest: now === null ? row.manifest : now.manifest,
        // Killed before its own file was there, a run has nobody else to say so.
        status: now?.status ?? (row.status === "running" ? "crashed" : row.status)
      }))
    )
    const json = rows.map((row) => ({
      run: row.run,
      job: row.job,
      logicalTime: row.logical_time.toISOString(),
      status: row.status,
      trial: row.trial,
      startedAt: row.started_at.toISOString(),
      endedAt: row.ended_at?.toISOString() ?? null,
      attempt: row.sessions,
      manifest: row.manifest,
      delivered: row.delivered,
      dead: row.dead,
      review: row.review,
      held: row.held,
      skipped: row.skipped,
      spentUsd: row.spent_usd
    }))
    if (json.length === 0) return { json, text: "No run yet. Start one: runtime run JOB" }
    const { textTable } = yield* Effect.promise(() => import("./table.ts"))
    const count = (items: number | null): string => (items === null ? "" : formatCount(items))
    const text = textTable(
      ["run", "status", "started", "items", "delivered", "dead", "review", "held", "spent"],
      json.map((row) => [
        row.run,
        `${row.status}${row.trial ? " (trial)" : ""}`,
        formatMinute(row.startedAt),
        count(row.manifest),
        count(row.delivered),
        count(row.dead),
        count(row.review),
        count(row.held),
        row.spentUsd === null ? "" : formatUsd(row.spentUsd)
      ])
    )
    return { json, text }
  })
)
